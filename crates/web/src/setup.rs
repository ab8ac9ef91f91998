//! The first start of a server: the printed link, the session that it begins, what was entered so
//! far, and the identity on GitHub that comes of it. The pages are in [`crate::page`].
//!
//! What always holds: whoever shows the link's session is admin for the setup pages and for no
//! other; all that was entered is in the database before a page says so, so the wizard can be left,
//! and continued after a crash. Admins use the same pages to add an app.

pub(crate) mod door;
pub(crate) mod draft;
pub mod identity;
pub(crate) mod role;
pub(crate) mod survey;
