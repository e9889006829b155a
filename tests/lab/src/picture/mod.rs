//! A picture of runs below each other: writes a second through the virtual IP, as SVG.
//!
//! No fonts are needed to draw it, and it brings its own background.

mod frame;
mod happenings;
mod panel;
mod pen;
mod rate;
#[cfg(test)]
mod recorded;
mod rows;

use std::time::Duration;

use anyhow::{Context, Result};
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use self::frame::{Frame, LEFT, RIGHT};
use self::pen::{Sheet, Type};
use crate::record::Record;
use crate::story::Event;

/// Pixels. About as wide as a page on which it is read.
const WIDTH: i32 = 800;
const HEADER: i32 = 92;
const AXIS: i32 = 26;
/// Before the first event no more is shown.
const BEFORE: Duration = Duration::from_secs(2);

/// A run that is shown.
#[derive(Clone, Debug)]
pub struct Panel {
    /// What the reader calls its suite.
    pub name: String,
    /// What came out of it.
    pub record: Record,
    /// Its story.
    pub events: Vec<Event>,
}

impl Panel {
    /// Seconds since the first event.
    fn since(&self, at: Duration) -> f64 {
        at.as_secs_f64() - self.record.zero().as_secs_f64()
    }

    /// Who was looked at, by name.
    fn hosts(&self) -> Vec<&str> {
        let looks = self.events.iter().filter(|event| event.source == "is");
        let mut hosts: Vec<&str> = looks.map(|event| event.who.as_str()).collect();
        hosts.sort_unstable();
        hosts.dedup();
        hosts
    }
}

/// The picture of `panels` as SVG, with what happened and on what as its heading. `rate` is how
/// many writes a second there were to be.
pub fn draw(title: &str, circumstances: &str, rate: u32, panels: &[Panel]) -> Result<String> {
    let begins = panels
        .iter()
        .map(|p| p.since(p.record.began).max(-BEFORE.as_secs_f64()))
        .fold(-0.1, f64::min);
    let ends = panels
        .iter()
        .map(|p| p.since(p.record.ended()))
        .fold(1.0, f64::max);
    let mut frame = Frame {
        time: begins..ends,
        top: f64::from(rate.max(1)) * 1.2,
        width: WIDTH,
        rows: 0,
    };
    let rows = panels
        .iter()
        .flat_map(|panel| frame::placed(panel, &frame))
        .map(|placed| placed.rows());
    frame.rows = rows.max().unwrap_or_default();
    let panels_high = frame.height() * i32::try_from(panels.len()).context("so many panels")?;
    let height = HEADER + panels_high + AXIS;
    let mut svg = String::new();
    {
        let size = (u32::try_from(WIDTH)?, u32::try_from(height)?);
        let sheet = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        sheet.fill(&pen::PAPER)?;
        header(&sheet, title, circumstances, panels)?;
        for (panel, number) in panels.iter().zip(0..) {
            panel::paint(&sheet, HEADER + number * frame.height(), panel, &frame)?;
        }
        axis(&sheet, HEADER + panels_high, &frame)?;
        sheet.present()?;
    }
    Ok(compact(&svg, title))
}

fn header(sheet: &Sheet<'_>, title: &str, circumstances: &str, panels: &[Panel]) -> Result<()> {
    pen::text(sheet, title, (14, 20), Type::bold(17, pen::INK), HPos::Left)?;
    pen::text(
        sheet,
        circumstances,
        (14, 41),
        Type::plain(11, pen::PALE_INK),
        HPos::Left,
    )?;
    let mut above = vec![
        (pen::WRITTEN, "acknowledged writes"),
        (pen::BAD, "acknowledged, and lost"),
        (pen::OUTAGE, "no write acknowledged"),
    ];
    if panels
        .iter()
        .any(|panel| !panel.record.fate.in_files.is_empty())
    {
        above.push((pen::IN_FILE, "acknowledged, in a rollback file only"));
    }
    let below = [
        (pen::MASTER, "master"),
        (pen::IN_SYNC, "replica, in sync"),
        (pen::APART, "replica, without its master"),
        (pen::DOWN, "Redis down"),
        (pen::INK, "holds the VIP"),
    ];
    legend(sheet, 61, "above:", &above)?;
    legend(sheet, 79, "below:", &below)
}

fn legend(sheet: &Sheet<'_>, y: i32, name: &str, items: &[(RGBColor, &str)]) -> Result<()> {
    let look = Type::plain(11, pen::INK);
    pen::text(sheet, name, (14, y), look, HPos::Left)?;
    let mut x = 56;
    for (colour, what) in items {
        // The VIP is a line below a host's bar.
        let top = if *colour == pen::INK { y } else { y - 5 };
        pen::filled(
            sheet,
            (x, top),
            (x + 14, if *colour == pen::INK { y + 4 } else { y + 5 }),
            *colour,
        )?;
        pen::text(sheet, what, (x + 19, y), look, HPos::Left)?;
        x += look.width(what) + 34;
    }
    Ok(())
}

fn axis(sheet: &Sheet<'_>, y: i32, frame: &Frame) -> Result<()> {
    let area = sheet.clone().shrink((0, y - 8), (WIDTH - RIGHT, AXIS + 2));
    let mut chart = ChartBuilder::on(&area)
        .set_label_area_size(LabelAreaPosition::Left, LEFT)
        .set_label_area_size(LabelAreaPosition::Bottom, AXIS)
        .build_cartesian_2d(frame.time.clone(), 0.0..1.0)?;
    chart
        .configure_mesh()
        .disable_mesh()
        .disable_y_axis()
        .axis_style(pen::PALE_INK)
        .x_labels(10)
        .x_label_formatter(&|second| format!("{second:.0} s"))
        .label_style(Type::plain(11, pen::PALE_INK).style(HPos::Center))
        .draw()?;
    Ok(())
}

/// Gives it a name for those who cannot see it, and leaves out what goes without saying.
fn compact(svg: &str, title: &str) -> String {
    let title = title.replace('&', "&amp;").replace('<', "&lt;");
    let svg = svg
        .replace(" opacity=\"1\"", "")
        .replace(" stroke=\"none\"", "");
    svg.replacen(
        ">\n",
        &format!(" role=\"img\">\n<title>{title}</title>\n"),
        1,
    )
}

#[cfg(test)]
mod tests {
    use super::recorded::{record, scripts};
    use super::*;
    use crate::suite::Suite;

    fn panel(name: &str) -> Panel {
        Panel {
            name: name.to_owned(),
            record: record(),
            events: scripts(),
        }
    }

    fn texts(svg: &str) -> Vec<String> {
        let document =
            roxmltree::Document::parse(svg).unwrap_or_else(|e| panic!("no XML: {e}\n{svg}"));
        assert!(
            document
                .root_element()
                .has_tag_name(("http://www.w3.org/2000/svg", "svg")),
            "{svg}"
        );
        let texts = document
            .descendants()
            .filter(|node| node.has_tag_name(("http://www.w3.org/2000/svg", "text")));
        texts
            .filter_map(|node| node.text())
            .map(|text| text.trim().to_owned())
            .collect()
    }

    #[test]
    fn both_panels_are_there_with_their_events_their_outages_and_what_was_lost() {
        let mut ours = panel("ours & \"theirs\" <now>");
        ours.record.suite = Suite::OURS;
        ours.record.fate.lost.clear();
        let svg = draw(
            "kill -9 & back",
            "here",
            200,
            &[panel("shell scripts"), ours],
        )
        .expect("it can be drawn");
        let texts = texts(&svg);
        let count = |text: &str| texts.iter().filter(|t| *t == text).count();
        assert_eq!(
            (count("shell scripts"), count("ours & \"theirs\" <now>")),
            (1, 1),
            "{texts:#?}"
        );
        for mark in [
            "redis-a: kill -9 redis",
            "redis-a: start redis, keepalived",
            "redis-b: VIP",
            "redis-a: in sync",
        ] {
            assert_eq!(count(mark), 2, "{mark}: {texts:#?}");
        }
        assert_eq!(count("failover: 10.7 s"), 2, "{texts:#?}");
        assert_eq!(count("failback: 13.4 s"), 2, "{texts:#?}");
        assert_eq!(
            count("318 acknowledged writes lost"),
            1,
            "only one of them lost something: {texts:#?}"
        );
        assert!(svg.len() < 60_000, "{} bytes", svg.len());
    }

    #[test]
    fn a_run_without_events_without_writes_or_with_one_write_can_be_drawn() {
        texts(&draw("nothing", "", 0, &[]).expect("no panel"));
        let mut bare = panel("bare");
        bare.events.clear();
        bare.record.acks.truncate(1);
        texts(&draw("one write", "", 200, &[bare.clone()]).expect("one write"));
        bare.record.acks.clear();
        texts(&draw("no write", "", 200, &[bare.clone()]).expect("no write"));
        bare.record.phases.clear();
        texts(&draw("no phase", "", 200, &[bare]).expect("no phase"));
    }
}
