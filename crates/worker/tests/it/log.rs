//! Masking and chunks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use model::worker_api::{GroupKind, GroupOutcome};
use proptest::prelude::*;
use rstest::rstest;
use secrecy::SecretString;
use tokio::sync::Semaphore;
use worker::log::{CHUNK_BYTES, Chunk, ChunkSink, Log, LogSettings, Masker, SinkError};

use crate::support::{Chunks, log, settings, until};

fn mask(secrets: &[&str], pieces: &[&[u8]]) -> Vec<u8> {
    let secrets: Vec<SecretString> = secrets.iter().map(|&secret| secret.into()).collect();
    let mut masker = Masker::new(&secrets).unwrap();
    let mut out = Vec::new();
    for piece in pieces {
        masker.push(piece, &mut out);
    }
    masker.finish(&mut out);
    out
}

proptest! {
    /// A small alphabet, so that secrets overlap, repeat and begin each other.
    #[test]
    fn masking_does_not_depend_on_where_the_stream_is_cut(
        secrets in prop::collection::vec("[ab\n]{4,9}", 0..4),
        text in "[abc\n]{0,60}",
        cuts in prop::collection::vec(0_usize..60, 0..8),
    ) {
        let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
        let whole = mask(&secrets, &[text.as_bytes()]);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
        cuts.push(0);
        cuts.push(text.len());
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &text.as_bytes()[cut[0]..cut[1]]).collect();
        let out = mask(&secrets, &pieces);
        prop_assert_eq!(&out, &whole);
        let out = String::from_utf8(out).unwrap();
        for line in secrets.iter().flat_map(|secret| secret.split('\n')).filter(|line| line.len() >= 4) {
            prop_assert!(!out.contains(line), "{:?} shows {:?}", out, line);
        }
    }

    #[test]
    fn a_text_beside_the_stream_is_masked_as_one_in_it(
        secrets in prop::collection::vec("[ab\n]{4,9}", 0..4),
        text in "[abc\n]{0,60}",
    ) {
        let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
        let known: Vec<SecretString> = secrets.iter().map(|&secret| secret.into()).collect();
        let mut beside = Vec::new();
        Masker::new(&known).unwrap().whole(text.as_bytes(), &mut beside);
        prop_assert_eq!(beside, mask(&secrets, &[text.as_bytes()]));
    }

    #[test]
    fn what_holds_no_secret_passes_unchanged(text in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(mask(&["never-in-random-bytes"], &[&text]), text);
    }
}

#[rstest]
#[case("p@ss w0rd/+&", "p%40ss%20w0rd%2F%2B%26")]
#[case("p@ss w0rd/+&", "p%40ss+w0rd%2F%2B%26")]
#[case("pa\"ss\\word", r#"pa\"ss\\word"#)]
#[case("pass-word", "cGFzcy13b3Jk")]
#[case("it's-it", r"it'\''s-it")]
#[case("pass-word", "706173732d776f7264")]
#[case("-----BEGIN KEY-----\nabcdefgh\n-----END KEY-----\n", "abcdefgh")]
#[case("line-one\nline-two", r"line-one\nline-two")]
fn a_secret_is_masked_in_each_form(#[case] secret: &str, #[case] form: &str) {
    let out = mask(&[secret], &[b"<", form.as_bytes(), b">"]);
    assert_eq!(String::from_utf8(out).unwrap(), "<***>");
}

#[test]
fn a_secret_inside_a_longer_base64_text_leaves_at_most_its_edges() {
    for prefix in ["", "a", "ab", "abc"] {
        let text = format!("{prefix}correct-horse-battery:x");
        let encoded = base64(&text);
        let out = mask(&["correct-horse-battery"], &[encoded.as_bytes()]);
        let out = String::from_utf8(out).unwrap();
        assert!(out.contains("***") && out.len() < 16, "{out}");
    }
}

fn base64(text: &str) -> String {
    use ::base64::Engine;
    ::base64::engine::general_purpose::STANDARD.encode(text)
}

#[test]
fn a_finished_line_is_never_held_back() {
    let mut masker = Masker::new(&[SecretString::from("first-line\nsecond-line")]).unwrap();
    let mut out = Vec::new();
    masker.push(b"first\n", &mut out);
    assert_eq!(out, b"first\n");
}

#[tokio::test]
async fn our_lines_stand_alone_and_are_masked_too() {
    let (log, task, chunks) = log();
    log.mask(&[SecretString::from("hunter22")]).await.unwrap();
    log.write(b"no line end, then hunt").await;
    log.note("fetched with hunter22").await;
    log.write(b"last").await;
    let end = task.finish().await.unwrap();
    let text = chunks.text();
    assert_eq!(text, "no line end, then hunt\nfetched with ***\nlast");
    assert_eq!((end.bytes, end.dropped), (text.len() as u64, 0));
}

#[tokio::test]
async fn a_log_over_its_limit_says_so_and_drops_the_rest() {
    let chunks = Arc::new(Chunks::default());
    let settings = LogSettings { total_bytes: 10, ..settings() };
    let (log, task) = Log::start(chunks.clone(), &[], settings).unwrap();
    log.write(b"0123456789abc").await;
    log.write(b"def").await;
    let end = task.finish().await.unwrap();
    let expected = "0123456789\n▶ The log is longer than 10 bytes: the rest is not kept.\n";
    assert_eq!(chunks.text(), expected);
    assert_eq!((end.bytes, end.dropped), (10, 6));
}

/// Takes a chunk for every permit.
struct Gate {
    permits: Semaphore,
    chunks: Chunks,
}

#[async_trait]
impl ChunkSink for Gate {
    async fn send(&self, seq: i64, chunk: Chunk) -> Result<(), SinkError> {
        self.permits.acquire().await.unwrap().forget();
        self.chunks.send(seq, chunk).await
    }
}

#[tokio::test]
async fn what_gathers_while_the_sink_is_busy_goes_in_large_chunks_and_bounded_memory() {
    let gate = Arc::new(Gate { permits: Semaphore::new(0), chunks: Chunks::default() });
    let (log, task) = Log::start(gate.clone(), &[], settings()).unwrap();
    let written = Arc::new(AtomicUsize::new(0));
    let writer = tokio::spawn({
        let (log, written) = (log.clone(), written.clone());
        async move {
            for _ in 0..40_000 {
                log.write(&[b'x'; 100]).await;
                written.fetch_add(100, Ordering::SeqCst);
            }
        }
    });
    until("the writer waits", || written.load(Ordering::SeqCst) > 1024 * 1024).await;
    tokio::task::yield_now().await;
    assert!(written.load(Ordering::SeqCst) < 3 * CHUNK_BYTES + 1024 * 1024);
    gate.permits.add_permits(10_000);
    writer.await.unwrap();
    task.finish().await.unwrap();
    let sizes = gate.chunks.sizes();
    assert_eq!(sizes.iter().sum::<usize>(), 4_000_000);
    assert!(sizes.iter().all(|size| *size <= CHUNK_BYTES));
    assert!(sizes.iter().filter(|size| **size == CHUNK_BYTES).count() >= 3, "{sizes:?}");
}

struct Refusing;

#[async_trait]
impl ChunkSink for Refusing {
    async fn send(&self, _seq: i64, _chunk: Chunk) -> Result<(), SinkError> {
        Err(SinkError("the job was given to another worker".to_owned()))
    }
}

#[tokio::test]
async fn a_log_that_nobody_takes_does_not_hold_up_its_step() {
    let (log, task) = Log::start(Arc::new(Refusing), &[], settings()).unwrap();
    for _ in 0..100 {
        log.write(&[b'x'; CHUNK_BYTES]).await;
    }
    assert!(task.finish().await.unwrap_err().to_string().contains("another worker"));
}

#[tokio::test]
async fn a_step_is_told_beside_the_log_and_what_it_prints_cannot_forge_one() {
    let (log, task, chunks) = log();
    log.mask(&[SecretString::from("hunter22")]).await.unwrap();
    log.heading("source").await;
    log.begin_step("npm test --token hunter22").await;
    let forged = "{\"groups\":[]}\n\u{1b}]greenroom;end\u{7}\n▶ 00:00:00 done\n::group::a\nlast";
    log.write(forged.as_bytes()).await;
    log.end_step(GroupOutcome::Failed).await;
    log.heading("failed").await;
    task.finish().await.unwrap();
    let (groups, preludes) = chunks.heads();
    assert_eq!(preludes, Vec::<String>::new());
    let told: Vec<_> = groups
        .iter()
        .map(|group| (group.kind, group.name.as_str(), group.first_line, group.end.unwrap()))
        .map(|(kind, name, first, end)| (kind, name, first, end.last_line, end.outcome))
        .collect();
    assert_eq!(
        told,
        [
            (GroupKind::Step, "npm test --token ***", 2, 7, GroupOutcome::Failed),
            (GroupKind::Inner, "a", 6, 7, GroupOutcome::Failed),
        ]
    );
    let text = chunks.text();
    assert_eq!(text.lines().count(), 8, "{text}");
    assert!(text.contains("::group::a\nlast\n▶ "), "{text}");
}

#[tokio::test]
async fn the_end_of_a_step_does_not_wait_for_another_line() {
    let (log, task, chunks) = log();
    log.begin_step("npm ci").await;
    log.write(b"added\n").await;
    log.end_step(GroupOutcome::Succeeded).await;
    until("the end is told", || chunks.heads().0.iter().all(|group| group.end.is_some())).await;
    task.finish().await.unwrap();
}

#[tokio::test]
async fn a_chunk_says_how_its_text_begins_to_look_and_our_lines_are_plain() {
    let (log, task, chunks) = log();
    log.begin_step("npm test").await;
    log.write(b"\x1b[31mred\n").await;
    log.write(&[b'x'; CHUNK_BYTES]).await;
    log.write(&[b'x'; CHUNK_BYTES]).await;
    log.end_step(GroupOutcome::Failed).await;
    log.note("ours").await;
    task.finish().await.unwrap();
    let (_, preludes) = chunks.heads();
    assert!(preludes.iter().all(|prelude| prelude == "\u{1b}[31m"), "{preludes:?}");
    assert!(!preludes.is_empty());
    assert!(chunks.text().ends_with("x\n\u{1b}[0mours\n"), "{:?}", chunks.text().len());
}
