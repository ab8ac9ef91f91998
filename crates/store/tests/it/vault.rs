//! The vault: what is sealed opens for its owner only, with the right key, unchanged.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use store::vault::{Sealed, Vault, VaultError};

#[test]
fn what_is_sealed_opens_in_its_context_and_unchanged_only() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("secret.key");
    let vault = Vault::load_or_create(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let sealed = vault.seal(b"hunter2", b"row 1").unwrap();
    assert_ne!(vault.seal(b"hunter2", b"row 1").unwrap(), sealed, "a nonce is used once");
    assert_eq!(vault.open(&sealed, b"row 1").unwrap(), b"hunter2");
    assert!(matches!(vault.open(&sealed, b"row 2"), Err(VaultError::Tampered)));
    for at in 0..sealed.ciphertext.len() {
        let mut changed = sealed.clone();
        changed.ciphertext[at] ^= 1;
        assert!(matches!(vault.open(&changed, b"row 1"), Err(VaultError::Tampered)));
    }
    let short = Sealed { ciphertext: vec![1, 2, 3], ..sealed.clone() };
    assert!(matches!(vault.open(&short, b"row 1"), Err(VaultError::Tampered)));
    // the file is read again as it was made
    assert_eq!(Vault::load_or_create(&path).unwrap().open(&sealed, b"row 1").unwrap(), b"hunter2");
    assert!(
        !format!("{vault:?}")
            .contains(fs::read_to_string(&path).unwrap().split_whitespace().last().unwrap())
    );
}

#[test]
fn a_key_put_on_top_seals_and_the_old_one_still_opens() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("secret.key");
    let old = Vault::load_or_create(&path).unwrap().seal(b"hunter2", b"").unwrap();
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("# rotated\nnew {}\n{text}", "ab".repeat(32))).unwrap();
    let rotated = Vault::load_or_create(&path).unwrap();
    assert_eq!(rotated.open(&old, b"").unwrap(), b"hunter2");
    let new = rotated.seal(b"hunter2", b"").unwrap();
    assert_eq!(new.key_id, "new");
    fs::write(&path, text).unwrap();
    let without = Vault::load_or_create(&path).unwrap();
    assert!(
        matches!(without.open(&new, b""), Err(VaultError::UnknownKey { key_id }) if key_id == "new")
    );
}

#[test]
fn a_key_file_that_cannot_be_used_says_what_to_mend() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("secret.key");
    Vault::load_or_create(&path).unwrap();
    for (text, said) in [
        ("", "holds no key"),
        ("one", "line 1"),
        ("one zz", "not hexadecimal"),
        ("\none abcd", "line 2"),
    ] {
        fs::write(&path, text).unwrap();
        let error = Vault::load_or_create(&path).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let error = Vault::load_or_create(&path).unwrap_err().to_string();
    assert!(error.contains("chmod 600"), "{error}");
}
