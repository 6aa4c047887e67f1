# An image for charts/seatkeeper: docker build -t YOUR.REGISTRY/seatkeeper:0.1.0 .
# Our tests have no container engine, so nobody has built this yet: try the image before you rely on it.
FROM rust:1.95-trixie AS build
WORKDIR /source
COPY . .
RUN cargo build --locked --release --bin seatkeeper

FROM debian:trixie-slim
COPY --from=build /etc/ssl/certs /etc/ssl/certs
COPY --from=build /source/target/release/seatkeeper /usr/local/bin/seatkeeper
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/seatkeeper"]
