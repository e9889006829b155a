//! One run: its writes, its outages, its events, and what the two hosts were meanwhile.

use std::time::Duration;

use anyhow::Result;
use plotters::chart::ChartContext;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::frame::{BAR, Frame, LANE, LEFT, PLOT, Placed, RIGHT, ROW, TITLE, VIP, placed};
use super::happenings::{Mark, Span, State, spans};
use super::pen::{self, Sheet, Type};
use super::rows::Side;
use super::{Panel, rate};
use crate::compare::seconds;

/// As narrow as a step of the writes is drawn.
const SLICE: Duration = Duration::from_millis(100);
/// A time without writes from here on is an outage whenever it is.
const OUTAGE: Duration = Duration::from_millis(250);
/// And from here on people notice.
const NOTICED: Duration = Duration::from_millis(100);

type Plot<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// Draws a panel whose upper edge is at `y`.
pub fn paint(sheet: &Sheet<'_>, y: i32, panel: &Panel, frame: &Frame) -> Result<()> {
    heading(sheet, y + TITLE / 2 - 2, panel, frame)?;
    let top = y + TITLE + frame.rows * ROW;
    let area = sheet.clone().shrink((0, top), (frame.width - RIGHT, PLOT));
    let mut plot = ChartBuilder::on(&area)
        .set_label_area_size(LabelAreaPosition::Left, LEFT)
        .build_cartesian_2d(frame.time.clone(), 0.0..frame.top)?;
    let shown = Shown {
        sheet,
        panel,
        frame,
        top,
    };
    let outages = shown.outages();
    plot.configure_mesh()
        .disable_x_mesh()
        .disable_x_axis()
        .light_line_style(TRANSPARENT)
        .bold_line_style(pen::GRID)
        .axis_style(pen::GRID)
        .y_labels(3)
        .y_label_formatter(&|rate| format!("{rate:.0}/s"))
        .label_style(Type::plain(11, pen::PALE_INK).style(HPos::Right))
        .draw()?;
    shown.writes(&mut plot)?;
    for (_, outage) in &outages {
        let (from, to) = (frame.x(panel, outage.from), frame.x(panel, outage.to));
        pen::filled(
            sheet,
            (from, top),
            (to.max(from + 1), top + PLOT),
            pen::OUTAGE,
        )?;
    }
    shown.marks()?;
    shown.lanes()?;
    shown.say_outages(&outages)?;
    shown.say_lost()
}

fn heading(sheet: &Sheet<'_>, y: i32, panel: &Panel, frame: &Frame) -> Result<()> {
    pen::text(
        sheet,
        &panel.name,
        (LEFT, y),
        Type::bold(15, pen::INK),
        HPos::Left,
    )?;
    let fate = &panel.record.fate;
    let mut verdict = format!(
        "{} of {} acknowledged writes lost",
        fate.lost.len(),
        fate.acknowledged
    );
    if !fate.in_files.is_empty() {
        verdict += &format!(", {} in a rollback file only", fate.in_files.len());
    }
    let colour = if fate.lost.is_empty() {
        pen::GOOD
    } else {
        pen::BAD
    };
    pen::text(
        sheet,
        &verdict,
        (frame.width - RIGHT, y),
        Type::bold(13, colour),
        HPos::Right,
    )
}

/// A panel under way.
struct Shown<'s, 'a> {
    sheet: &'s Sheet<'a>,
    panel: &'s Panel,
    frame: &'s Frame,
    /// Of the plot.
    top: i32,
}

impl<'a> Shown<'_, 'a> {
    fn x(&self, at: Duration) -> i32 {
        self.frame.x(self.panel, at)
    }

    /// The longest of every phase, by its name, and what else is long enough.
    fn outages(&self) -> Vec<(Option<&'static str>, rate::Outage)> {
        let record = &self.panel.record;
        let times: Vec<Duration> = record.acks.iter().map(|ack| ack.at).collect();
        let named = record.phases.iter().filter_map(|phase| {
            let outage = rate::longest(&times, phase.from, phase.from + phase.took)?;
            Some((Some(phase.name), outage))
        });
        let mut all: Vec<_> = named.collect();
        for more in rate::outages(&times, record.began, record.ended(), OUTAGE) {
            if !all
                .iter()
                .any(|(_, known)| more.from < known.to && known.from < more.to)
            {
                all.push((None, more));
            }
        }
        all
    }

    fn writes(&self, plot: &mut Plot<'_, 'a>) -> Result<()> {
        let record = &self.panel.record;
        let moments =
            |acks: &[crate::writer::Ack]| acks.iter().map(|ack| ack.at).collect::<Vec<Duration>>();
        let kinds = [
            (moments(&record.acks), pen::WRITTEN),
            (moments(&record.fate.in_files), pen::IN_FILE),
            (moments(&record.fate.lost), pen::BAD),
        ];
        for (times, colour) in kinds {
            let mut counts = rate::per_slice(&times, record.began, record.ended(), SLICE);
            // The last one is cut short.
            counts.pop();
            if times.is_empty() {
                continue;
            }
            let mut outline = Vec::new();
            for (count, number) in counts.iter().zip(0u32..) {
                let rate = f64::from(u32::try_from(*count)?) / SLICE.as_secs_f64();
                let from = self.panel.since(record.began + SLICE * number);
                outline.extend([(from, rate), (from + SLICE.as_secs_f64(), rate)]);
            }
            let ends = |end: Option<&(f64, f64)>| end.map(|(at, _)| (*at, 0.0));
            let (first, last) = (ends(outline.first()), ends(outline.last()));
            outline.extend(last.into_iter().chain(first));
            outline.dedup();
            plot.draw_series([Polygon::new(outline, colour.filled())])?;
        }
        Ok(())
    }

    fn marks(&self) -> Result<()> {
        let placed = placed(self.panel, self.frame);
        let height = |row: i32| self.top - (self.frame.rows - row) * ROW + ROW / 2 - 2;
        for Placed { x, look, place, .. } in &placed {
            let from = place.map_or(self.top, |(row, _)| height(row) - ROW / 2);
            pen::line(
                self.sheet,
                (*x, from),
                (*x, self.top + PLOT + 2 * LANE + 4),
                look.colour,
            )?;
        }
        for Placed {
            mark,
            x,
            look,
            place,
        } in &placed
        {
            let Some((row, side)) = *place else { continue };
            self.mark(mark, (*x, height(row)), *look, side)?;
        }
        Ok(())
    }

    fn mark(&self, mark: &Mark, (x, y): (i32, i32), look: Type, side: Side) -> Result<()> {
        let (text, wide) = (mark.line(), look.width(&mark.line()) + 4);
        let (from, begins, anchor) = match side {
            Side::Right => (x + 1, x + 4, HPos::Left),
            Side::Left => (x - wide, x - 4, HPos::Right),
        };
        pen::filled(
            self.sheet,
            (from, y - ROW / 2),
            (from + wide, y + ROW / 2),
            pen::PAPER,
        )?;
        pen::text(self.sheet, &text, (begins, y), look, anchor)
    }

    fn lanes(&self) -> Result<()> {
        for (host, number) in self.panel.hosts().into_iter().zip(0..) {
            let y = self.top + PLOT + 6 + number * LANE;
            let middle = y + BAR / 2 + 1;
            pen::text(
                self.sheet,
                host,
                (LEFT - 6, middle),
                Type::plain(11, pen::PALE_INK),
                HPos::Right,
            )?;
            let mut said = None;
            for Span {
                from,
                to,
                state,
                vip,
            } in spans(&self.panel.events, host, self.panel.record.ended())
            {
                let (from, to) = (self.x(from), self.x(to));
                if from == to {
                    continue;
                }
                let (word, colour, ink) = match state {
                    State::Master => ("master", pen::MASTER, pen::PAPER),
                    State::InSync => ("replica", pen::IN_SYNC, pen::INK),
                    State::Apart => ("replica", pen::APART, pen::INK),
                    State::Down => ("down", pen::DOWN, pen::INK),
                };
                pen::filled(self.sheet, (from, y), (to, y + BAR), colour)?;
                let look = Type::plain(10, ink);
                if said != Some(state) && look.width(word) + 8 < to - from {
                    said = Some(state);
                    pen::text(self.sheet, word, (from + 4, middle), look, HPos::Left)?;
                }
                if vip {
                    pen::filled(
                        self.sheet,
                        (from, y + BAR + 1),
                        (to, y + BAR + 1 + VIP),
                        pen::INK,
                    )?;
                }
            }
        }
        Ok(())
    }

    fn say_outages(&self, outages: &[(Option<&'static str>, rate::Outage)]) -> Result<()> {
        let y = self.top + PLOT * 62 / 100;
        for (name, outage) in outages {
            let length = seconds(outage.length());
            let short = name.map_or_else(|| length.clone(), |name| format!("{name}: {length}"));
            let noticed = outage.length() >= NOTICED;
            let look = Type::bold(13, if noticed { pen::BAD } else { pen::GOOD });
            let (from, to) = (self.x(outage.from), self.x(outage.to));
            let middle = i32::midpoint(from, to);
            if look.width(&short) + 12 < to - from {
                let lines = [short.as_str(), "without a write"];
                pen::label(
                    self.sheet,
                    &lines,
                    (middle, y),
                    look,
                    HPos::Center,
                    pen::OUTAGE,
                )?;
            } else {
                self.beside(&short, (from, to), y, look)?;
            }
        }
        Ok(())
    }

    fn say_lost(&self) -> Result<()> {
        let lost = &self.panel.record.fate.lost;
        let moments = || lost.iter().map(|ack| ack.at);
        let (Some(first), Some(last)) = (moments().min(), moments().max()) else {
            return Ok(());
        };
        let text = format!("{} acknowledged writes lost", lost.len());
        let (from, to) = (self.x(first), self.x(last));
        self.beside(
            &text,
            (from, to),
            self.top + PLOT * 24 / 100,
            Type::bold(13, pen::BAD),
        )
    }

    /// Right of something, or left of it where there is no room.
    fn beside(&self, text: &str, (from, to): (i32, i32), y: i32, look: Type) -> Result<()> {
        if to + 8 + look.width(text) < self.frame.width - RIGHT {
            pen::label(
                self.sheet,
                &[text],
                (to + 6, y),
                look,
                HPos::Left,
                pen::PAPER,
            )
        } else {
            pen::label(
                self.sheet,
                &[text],
                (from - 6, y),
                look,
                HPos::Right,
                pen::PAPER,
            )
        }
    }
}
