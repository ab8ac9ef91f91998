//! Server-sent events out of bytes that come in pieces, as the HTML standard has them (9.2.6), with
//! line ends as our server writes them.

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) data: String,
    pub(crate) id: String,
}

/// What has come and is not yet a whole line, and the event that its lines make up so far.
#[derive(Debug, Default)]
pub(crate) struct Events {
    rest: Vec<u8>,
    event: Event,
}

impl Events {
    /// The events that are whole with these bytes.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<Event> {
        self.rest.extend_from_slice(bytes);
        let mut found = Vec::new();
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\n', '\r']);
            if line.is_empty() {
                let event = std::mem::take(&mut self.event);
                if event != Event::default() {
                    found.push(event);
                }
                continue;
            }
            self.field(line);
        }
        found
    }

    fn field(&mut self, line: &str) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => self.event.name = value.to_owned(),
            "id" => self.event.id = value.to_owned(),
            "data" => {
                if !self.event.data.is_empty() {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            // a comment keeps the line open; what we do not know is not for us
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = ": keep\n\nevent: log\nid: 1.2\ndata: {\"text\": \"é\"}\n\nevent: end\r\ndata: a\r\ndata: b\r\n\r\n";

    #[test]
    fn events_are_whole_however_the_bytes_are_cut() {
        let expected = [
            Event { name: "log".into(), data: "{\"text\": \"é\"}".into(), id: "1.2".into() },
            Event { name: "end".into(), data: "a\nb".into(), id: String::new() },
        ];
        for size in 1..STREAM.len() {
            let mut events = Events::default();
            let found: Vec<Event> =
                STREAM.as_bytes().chunks(size).flat_map(|piece| events.feed(piece)).collect();
            assert_eq!(found, expected, "in pieces of {size}");
        }
    }
}
