# Greenroom with what its worker needs: git, bubblewrap, node. The container runs as root, so that
# each job's steps can run as a user of their own; see docker-compose.yml for what the sandbox needs.
FROM rust:1.95-bookworm AS build
WORKDIR /source
COPY Cargo.toml Cargo.lock ./
COPY crates crates
COPY docs docs
COPY migrations migrations
COPY plugins plugins
COPY templates templates
COPY static static
# which commit it is: docker build --build-arg GREENROOM_BUILD_COMMIT=$(git rev-parse --short=12 HEAD)
ARG GREENROOM_BUILD_COMMIT
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/source/target \
    cargo build --locked --release --package greenroom \
    && cp target/release/greenroom /usr/local/bin/greenroom

FROM node:22-bookworm-slim AS node

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends bubblewrap ca-certificates curl git util-linux \
    && rm -rf /var/lib/apt/lists/*
# Debian's own node is older than osls 4 wants
COPY --from=node /usr/local/bin/node /usr/local/bin/node
COPY --from=node /usr/local/lib/node_modules /usr/local/lib/node_modules
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm \
    && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx
COPY --from=build /usr/local/bin/greenroom /usr/local/bin/greenroom
ENV GREENROOM_LISTEN=0.0.0.0:8080 GREENROOM_DATA_DIR=/var/lib/greenroom
VOLUME /var/lib/greenroom
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["greenroom"]
CMD ["serve"]
