# Two stages: the toolchain builds one static-runtime binary, the second holds nothing else.
FROM swift:6.3-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends \
    libuv1-dev libpq-dev libhiredis-dev librabbitmq-dev libcurl4-openssl-dev libssl-dev zlib1g-dev libcrypt-dev \
    pkg-config && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Package.swift ./
COPY Sources Sources
COPY Tests Tests
COPY Benchmarks Benchmarks
RUN swift build -c release --product vitrine -Xswiftc -cross-module-optimization --static-swift-stdlib

FROM debian:12-slim
RUN apt-get update && apt-get install -y --no-install-recommends \
    libuv1 libpq5 libhiredis0.14 librabbitmq4 libcurl4 libssl3 zlib1g libcrypt1 ca-certificates curl \
    && rm -rf /var/lib/apt/lists/* && useradd --system --uid 10001 vitrine
COPY --from=build /src/.build/release/vitrine /usr/local/bin/vitrine
USER vitrine
ENV VITRINE_HOST=0.0.0.0
ENTRYPOINT ["vitrine"]
CMD ["run", "all"]
