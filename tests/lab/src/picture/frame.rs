//! Where things are: the measures of a panel, time in pixels, and the labels of events.

use std::ops::Range;
use std::time::Duration;

use super::Panel;
use super::happenings::{Mark, marks};
use super::pen::{self, Type};
use super::rows::{self, Side};

pub const TITLE: i32 = 24;
pub const ROW: i32 = 15;
/// At most.
pub const ROWS: i32 = 4;
pub const PLOT: i32 = 104;
pub const LANE: i32 = 21;
/// The bar of a Redis, and the line below it where the VIP is.
pub const BAR: i32 = 13;
pub const VIP: i32 = 4;
/// Left of the plot and right of it.
pub const LEFT: i32 = 62;
pub const RIGHT: i32 = 14;

/// What all panels of a picture have in common.
pub struct Frame {
    /// Seconds; 0 is the first event.
    pub time: Range<f64>,
    /// Writes a second.
    pub top: f64,
    /// Of the picture, in pixels.
    pub width: i32,
    /// Of labels.
    pub rows: i32,
}

impl Frame {
    /// Pixels from the top of a panel to the next.
    pub fn height(&self) -> i32 {
        TITLE + self.rows * ROW + PLOT + 2 * LANE + 22
    }

    /// Where a moment of a panel's story is.
    pub fn x(&self, panel: &Panel, at: Duration) -> i32 {
        let part = (panel.since(at) - self.time.start) / (self.time.end - self.time.start);
        let pixels = part.clamp(0.0, 1.0) * f64::from(self.width - LEFT - RIGHT);
        LEFT + pixels.round() as i32
    }
}

/// A mark, its line, and where its label goes, if anywhere.
pub struct Placed {
    /// What it is of.
    pub mark: Mark,
    /// Where its line is.
    pub x: i32,
    /// How its label looks.
    pub look: Type,
    /// The row of its label, and its side of the line.
    pub place: Option<(i32, Side)>,
}

impl Placed {
    /// How many rows of labels have to be there for it.
    pub fn rows(&self) -> i32 {
        self.place.map_or(0, |(row, _)| row + 1)
    }
}

/// The marks of a panel.
pub fn placed(panel: &Panel, frame: &Frame) -> Vec<Placed> {
    let told = marks(
        &panel.events,
        &panel.hosts(),
        panel.record.zero(),
        panel.record.ended(),
    );
    let placed = told.into_iter().map(|mark| {
        let look = if mark.done {
            Type::bold(11, pen::INK)
        } else {
            Type::plain(11, pen::PALE_INK)
        };
        Placed {
            x: frame.x(panel, mark.at),
            mark,
            look,
            place: None,
        }
    });
    let mut placed: Vec<Placed> = placed.collect();
    // The most telling ones find a place first.
    let telling = |mark: &Mark| {
        mark.done
            || mark
                .what
                .iter()
                .any(|what| what == "VIP" || what == "master")
    };
    placed.sort_by_key(|one| !telling(&one.mark));
    let widths: Vec<(i32, i32)> = placed
        .iter()
        .map(|one| (one.x, one.look.width(&one.mark.line()) + 8))
        .collect();
    let places = rows::places(&widths, ROWS, LEFT..frame.width - RIGHT);
    placed
        .iter_mut()
        .zip(places)
        .for_each(|(one, place)| one.place = place);
    placed
}
