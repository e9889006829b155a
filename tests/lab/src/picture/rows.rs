//! Where labels go that stand beside their lines, in rows, so that none covers another.

use std::ops::Range;

/// Where a label stands, seen from its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// It ends at its line.
    Left,
    /// It begins there.
    Right,
}

/// The row of each label and its side; each is a line's place and the width of what stands beside
/// it. Those that come first are served first; the last may find no place.
pub fn places(labels: &[(i32, i32)], rows: i32, within: Range<i32>) -> Vec<Option<(i32, Side)>> {
    let mut taken: Vec<(i32, Range<i32>)> = Vec::new();
    let place = |&(line, width): &(i32, i32)| {
        let sides = [
            (Side::Right, line..line + width),
            (Side::Left, line - width..line),
        ];
        let all = sides
            .into_iter()
            .flat_map(|(side, room)| (0..rows).map(move |row| (row, side, room.clone())));
        let mut free = all.filter(|(row, _, room)| {
            let inside = within.start <= room.start && room.end <= within.end;
            inside
                && !taken
                    .iter()
                    .any(|(r, t)| r == row && room.start < t.end && t.start < room.end)
        });
        let (row, side, room) = free.next()?;
        taken.push((row, room));
        Some((row, side))
    };
    labels.iter().map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_label_covers_another_or_leaves_the_picture() {
        let labels = [(10, 50), (30, 50), (90, 50), (35, 50), (38, 50)];
        let expected = [
            Some((0, Side::Right)),
            Some((1, Side::Right)),
            Some((2, Side::Left)),
            None,
            None,
        ];
        assert_eq!(places(&labels, 3, 0..120), expected);
        assert_eq!(places(&[], 3, 0..120), []);
        assert_eq!(
            places(&[(10, 500)], 3, 0..120),
            [None],
            "too long for any place"
        );
    }
}
