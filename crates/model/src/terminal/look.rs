//! How text looks: what `ESC [ … m` sets (SGR of ECMA-48, 256 and true colours as xterm has them).

/// A colour of the terminal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Colour {
    #[default]
    Own,
    /// One of the sixteen that a theme chooses.
    Named(u8),
    Exact(u8, u8, u8),
}

/// A property besides the colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    Bold,
    Dim,
    Italic,
    Underline,
    Inverse,
    Conceal,
    Strike,
}

impl Weight {
    pub const ALL: [Self; 7] = [
        Self::Bold,
        Self::Dim,
        Self::Italic,
        Self::Underline,
        Self::Inverse,
        Self::Conceal,
        Self::Strike,
    ];

    fn bit(self) -> u8 {
        1 << self as u8
    }

    /// The number that sets it.
    fn code(self) -> u16 {
        match self {
            Self::Bold => 1,
            Self::Dim => 2,
            Self::Italic => 3,
            Self::Underline => 4,
            Self::Inverse => 7,
            Self::Conceal => 8,
            Self::Strike => 9,
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Look {
    pub foreground: Colour,
    pub background: Colour,
    weights: u8,
}

impl Look {
    pub const PLAIN: Self = Self { foreground: Colour::Own, background: Colour::Own, weights: 0 };

    pub fn has(self, weight: Weight) -> bool {
        self.weights & weight.bit() != 0
    }

    fn put(&mut self, weight: Weight) {
        self.weights |= weight.bit();
    }

    fn clear(&mut self, weights: &[Weight]) {
        for weight in weights {
            self.weights &= !weight.bit();
        }
    }

    /// Takes the parameters of `ESC [ … m`.
    pub fn set(&mut self, parameters: &[u8]) {
        // `ESC [ > … m` and the like are of another language
        if !parameters.iter().all(|byte| matches!(byte, b'0'..=b'9' | b';' | b':')) {
            return;
        }
        let mut codes = parameters.split(|byte| *byte == b';');
        while let Some(code) = codes.next() {
            let mut parts = code.split(|byte| *byte == b':').map(number);
            let first = parts.next().unwrap_or(0);
            let parts: Vec<u16> = parts.collect();
            match first {
                0 => *self = Self::default(),
                // `4:0` is none, `4:3` a wavy one
                4 if parts.first() == Some(&0) => self.clear(&[Weight::Underline]),
                1 => self.put(Weight::Bold),
                2 => self.put(Weight::Dim),
                3 => self.put(Weight::Italic),
                4 | 21 => self.put(Weight::Underline),
                7 => self.put(Weight::Inverse),
                8 => self.put(Weight::Conceal),
                9 => self.put(Weight::Strike),
                22 => self.clear(&[Weight::Bold, Weight::Dim]),
                23 => self.clear(&[Weight::Italic]),
                24 => self.clear(&[Weight::Underline]),
                27 => self.clear(&[Weight::Inverse]),
                28 => self.clear(&[Weight::Conceal]),
                29 => self.clear(&[Weight::Strike]),
                30..=37 => self.foreground = Colour::Named(low(first - 30)),
                39 => self.foreground = Colour::Own,
                40..=47 => self.background = Colour::Named(low(first - 40)),
                49 => self.background = Colour::Own,
                90..=97 => self.foreground = Colour::Named(low(first - 82)),
                100..=107 => self.background = Colour::Named(low(first - 92)),
                // 58: of the underline, which is not shown
                38 | 48 | 58 => {
                    let colour =
                        if parts.is_empty() { separated(&mut codes) } else { together(&parts) };
                    match (first, colour) {
                        (38, Some(colour)) => self.foreground = colour,
                        (48, Some(colour)) => self.background = colour,
                        (_, _) => {}
                    }
                }
                _ => {}
            }
        }
    }

    /// The sequence that sets this look on plain text.
    pub(super) fn sequence(self) -> String {
        let mut codes: Vec<String> = Weight::ALL
            .into_iter()
            .filter(|weight| self.has(*weight))
            .map(|weight| weight.code().to_string())
            .collect();
        codes.extend(code(self.foreground, 30, 82, 38));
        codes.extend(code(self.background, 40, 92, 48));
        if codes.is_empty() { String::new() } else { format!("\x1b[{}m", codes.join(";")) }
    }
}

fn code(colour: Colour, dark: u8, bright: u8, exact: u8) -> Option<String> {
    match colour {
        Colour::Own => None,
        Colour::Named(n @ 0..=7) => Some((n + dark).to_string()),
        Colour::Named(n) => Some((n + bright).to_string()),
        Colour::Exact(r, g, b) => Some(format!("{exact};2;{r};{g};{b}")),
    }
}

fn number(digits: &[u8]) -> u16 {
    std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

fn low(code: u16) -> u8 {
    u8::try_from(code).unwrap_or(u8::MAX)
}

/// `38;5;n` or `38;2;r;g;b`.
fn separated<'a>(codes: &mut impl Iterator<Item = &'a [u8]>) -> Option<Colour> {
    match number(codes.next()?) {
        5 => Some(palette(low(number(codes.next()?)))),
        2 => {
            let mut channel = || codes.next().map(|code| low(number(code)));
            Some(Colour::Exact(channel()?, channel()?, channel()?))
        }
        _ => None,
    }
}

/// `38:5:n`, `38:2:r:g:b`, or with a colour space that nobody gives: `38:2::r:g:b`.
fn together(parts: &[u16]) -> Option<Colour> {
    match parts {
        [5, n, ..] => Some(palette(low(*n))),
        [2, r, g, b] | [2, _, r, g, b, ..] => Some(Colour::Exact(low(*r), low(*g), low(*b))),
        _ => None,
    }
}

/// xterm's 256: the sixteen, a cube of 6 x 6 x 6, and 24 greys.
fn palette(n: u8) -> Colour {
    match n {
        0..=15 => Colour::Named(n),
        16..=231 => {
            let n = n - 16;
            let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
            Colour::Exact(level(n / 36), level(n / 6 % 6), level(n % 6))
        }
        232..=255 => {
            let grey = 8 + 10 * (n - 232);
            Colour::Exact(grey, grey, grey)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(parameters: &str) -> Look {
        let mut look = Look::default();
        look.set(parameters.as_bytes());
        look
    }

    #[test]
    fn the_sixteen_the_256_and_all_colours_are_known() {
        assert_eq!(look("31").foreground, Colour::Named(1));
        assert_eq!(look("97").foreground, Colour::Named(15));
        assert_eq!(look("100").background, Colour::Named(8));
        assert_eq!(look("38;5;9").foreground, Colour::Named(9));
        assert_eq!(look("38;5;196").foreground, Colour::Exact(255, 0, 0));
        assert_eq!(look("48;5;232").background, Colour::Exact(8, 8, 8));
        assert_eq!(look("38;2;1;2;3").foreground, Colour::Exact(1, 2, 3));
        assert_eq!(look("38:2:1:2:3").foreground, Colour::Exact(1, 2, 3));
        assert_eq!(look("38:2::1:2:3").foreground, Colour::Exact(1, 2, 3));
        assert_eq!(look("38:5:231").foreground, Colour::Exact(255, 255, 255));
    }

    #[test]
    fn what_follows_a_colour_still_counts() {
        let look = look("58;5;3;38;5;196;1;48;2;0;0;9;4");
        assert!(look.has(Weight::Bold) && look.has(Weight::Underline));
        assert_eq!(look.background, Colour::Exact(0, 0, 9));
    }

    #[test]
    fn each_property_has_its_end() {
        for (set, end) in [
            ("1", "22"),
            ("2", "22"),
            ("3", "23"),
            ("4", "24"),
            ("4:3", "4:0"),
            ("7", "27"),
            ("8", "28"),
            ("9", "29"),
            ("31", "39"),
            ("41", "49"),
            ("1;2;3;4;31", ""),
        ] {
            assert_ne!(look(set), Look::default(), "{set}");
            assert_eq!(look(&format!("{set};{end}")), Look::default(), "{set};{end}");
        }
    }

    #[test]
    fn nonsense_sets_nothing() {
        for nonsense in ["38", "38;5", "38;2;1;2", "38;9;1", "999", "65536", ">4;2", "?1"] {
            let shown = look(nonsense);
            assert_eq!(
                (shown.foreground, shown.background),
                (Colour::Own, Colour::Own),
                "{nonsense}"
            );
        }
    }
}
