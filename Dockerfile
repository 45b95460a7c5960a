# One file for both images, and for a build with or without an image registry:
#   docker build --target operator .            compiles in the builder image
#   make images                                 takes binaries that are built already (build/images.sh)
ARG BUILDER=rust:1.95-bookworm
FROM ${BUILDER} AS build
COPY . /src
WORKDIR /src
# A builder that brings /out has the binaries already.
RUN [ -x /out/engine ] || sh build/static.sh /out

FROM scratch AS operator
COPY --from=build /out/operator /operator
USER 65532:65532
ENTRYPOINT ["/operator"]

FROM scratch AS engine
COPY --from=build /out/engine /engine
USER 65532:65532
ENTRYPOINT ["/engine"]
