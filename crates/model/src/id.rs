//! Identities of rows: a newtype each, so that a job's id cannot stand where a build's is wanted.
//!
//! Ids are version 7 UUIDs made by the caller (they sort by time of birth); nothing here makes one.

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
        )]
        #[cfg_attr(feature = "sqlx", derive(sqlx::Type), sqlx(transparent))]
        #[serde(transparent)]
        pub struct $name(pub uuid::Uuid);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                text.parse().map(Self)
            }
        }
    )+};
}

id! {
    /// A registered repository.
    AppId,
    /// What one event sets in motion.
    BuildId,
    /// One unit of work of a build.
    JobId,
    /// A named copy of an app.
    StageId,
    /// One service in one stage and region.
    InstanceId,
    /// One change of one instance.
    DeploymentId,
    /// What one package job produced.
    ArtifactId,
    /// A process that runs jobs.
    WorkerId,
    /// A bearer token of the REST or worker API.
    TokenId,
    /// Somebody who signed in with GitHub.
    PersonId,
    /// One browser in which somebody signed in.
    SessionId,
    /// A stack that says it is ours and that no stage knows.
    OrphanId,
    /// A program that waits to be let in from a browser.
    DeviceId,
    /// One command that runs for a stage on somebody's own machine.
    LaptopSessionId,
}
