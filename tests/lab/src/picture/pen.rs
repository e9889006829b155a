//! Colours, and text that needs no fonts where it is drawn.

use anyhow::Result;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// What is drawn on: all of the picture, in pixels.
pub type Sheet<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The background: the picture brings its own, so that it reads the same on a dark page.
pub const PAPER: RGBColor = RGBColor(255, 255, 255);
/// Text, and the VIP.
pub const INK: RGBColor = RGBColor(31, 35, 40);
/// Lesser text.
pub const PALE_INK: RGBColor = RGBColor(89, 99, 110);
/// Lines of the grid.
pub const GRID: RGBColor = RGBColor(225, 228, 232);
/// Acknowledged writes.
pub const WRITTEN: RGBColor = RGBColor(84, 152, 226);
/// Acknowledged writes that a rollback file has.
pub const IN_FILE: RGBColor = RGBColor(227, 160, 8);
/// Acknowledged writes that are gone, and how long there were none.
pub const BAD: RGBColor = RGBColor(207, 34, 46);
/// Behind a time without writes.
pub const OUTAGE: RGBColor = RGBColor(255, 222, 220);
/// What went well.
pub const GOOD: RGBColor = RGBColor(26, 127, 55);
/// A master.
pub const MASTER: RGBColor = RGBColor(9, 85, 180);
/// A replica whose link is up.
pub const IN_SYNC: RGBColor = RGBColor(158, 203, 250);
/// A replica whose link is not.
pub const APART: RGBColor = RGBColor(250, 215, 130);
/// A Redis that is not up.
pub const DOWN: RGBColor = RGBColor(200, 206, 212);

/// The browser has one of these.
const FAMILY: &str = "Helvetica, Arial, sans-serif";

/// How text looks.
#[derive(Clone, Copy)]
pub struct Type {
    /// In pixels.
    pub size: i32,
    pub bold: bool,
    pub colour: RGBColor,
}

impl Type {
    /// Plain text.
    pub const fn plain(size: i32, colour: RGBColor) -> Type {
        Type {
            size,
            bold: false,
            colour,
        }
    }

    /// Bold text.
    pub const fn bold(size: i32, colour: RGBColor) -> Type {
        Type {
            size,
            bold: true,
            colour,
        }
    }

    /// At most how wide the text will be; the widest fonts are those of Linux.
    pub fn width(self, text: &str) -> i32 {
        let letters = i32::try_from(text.chars().count()).unwrap_or(i32::MAX / 1000);
        let percent = if self.bold { 63 } else { 58 };
        letters.saturating_mul(self.size).saturating_mul(percent) / 100
    }

    /// As the plotting crate wants it; it draws text smaller than it is told.
    pub fn style(self, side: HPos) -> TextStyle<'static> {
        let font = FontDesc::from((FAMILY, f64::from(self.size) * 1.24));
        let font = if self.bold {
            font.style(FontStyle::Bold)
        } else {
            font
        };
        font.color(&self.colour).pos(Pos::new(side, VPos::Center))
    }
}

/// Text whose middle line is at `at`, and which begins, ends or has its middle there.
pub fn text(sheet: &Sheet<'_>, text: &str, at: (i32, i32), look: Type, side: HPos) -> Result<()> {
    Ok(sheet.draw(&Text::new(text.to_owned(), at, look.style(side)))?)
}

/// Lines of text on a piece of paper, to be read whatever is behind it. The paper begins, ends or
/// has its middle at `at`; the text stands in its middle, as browsers differ in how wide it is.
pub fn label(
    sheet: &Sheet<'_>,
    lines: &[&str],
    (x, y): (i32, i32),
    look: Type,
    side: HPos,
    paper: RGBColor,
) -> Result<()> {
    let wide = lines
        .iter()
        .map(|line| look.width(line))
        .max()
        .unwrap_or_default();
    let line_high = look.size + 6;
    let high = line_high * i32::try_from(lines.len())?;
    let left = match side {
        HPos::Left => x,
        HPos::Center => x - wide / 2,
        HPos::Right => x - wide,
    };
    let top = y - high / 2;
    filled(sheet, (left, top), (left + wide, top + high), paper)?;
    for (line, number) in lines.iter().zip(0..) {
        text(
            sheet,
            line,
            (left + wide / 2, top + number * line_high + line_high / 2),
            look,
            HPos::Center,
        )?;
    }
    Ok(())
}

/// A rectangle.
pub fn filled(sheet: &Sheet<'_>, from: (i32, i32), to: (i32, i32), colour: RGBColor) -> Result<()> {
    Ok(sheet.draw(&Rectangle::new([from, to], colour.filled()))?)
}

/// A line.
pub fn line(sheet: &Sheet<'_>, from: (i32, i32), to: (i32, i32), colour: RGBColor) -> Result<()> {
    Ok(sheet.draw(&PathElement::new([from, to], colour.stroke_width(1)))?)
}
