# The operator's image: Node, the compiled operator, its production dependencies. No shell, no package manager.
# Both base images are arguments, so that a registry mirror can stand in their place.
# Two builds of a commit are one image, byte for byte: the lockfile and the bases decide about contents, chmod about
# modes, SOURCE_DATE_EPOCH about times (`make image` gives the commit's), and the last stage runs nothing.
ARG BUILD_IMAGE=docker.io/library/node:24.21.0-bookworm-slim
ARG RUNTIME_IMAGE=gcr.io/distroless/nodejs24-debian12:nonroot

FROM ${BUILD_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --omit=optional --ignore-scripts
# The SBOM (CycloneDX) of what was installed, with hashes and licenses, and the base image. Serial number and time follow
# from the commit, so that two builds have the same SBOM. What npm has installed decides, and not its options: with them
# it leaves out packages that development dependencies use too.
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG RUNTIME_IMAGE
ARG SOURCE_DATE_EPOCH=0
RUN npm pkg delete devDependencies optionalDependencies && npm sbom --sbom-format=cyclonedx > /tmp/sbom.json \
 && node --input-type=module --eval ' \
      import { createHash } from "node:crypto"; \
      import { readFileSync, writeFileSync } from "node:fs"; \
      const { VERSION, REVISION, RUNTIME_IMAGE, SOURCE_DATE_EPOCH } = process.env; \
      const bom = JSON.parse(readFileSync("/tmp/sbom.json", "utf8")); \
      const hash = createHash("sha256").update(`${VERSION} ${REVISION} ${RUNTIME_IMAGE}`).digest("hex"); \
      const [, a, b, c, d] = hash.match(/^(.{8})(.{4}).(.{3}).(.{3})/); \
      bom.serialNumber = `urn:uuid:${a}-${b}-8${c}-8${d}-${hash.slice(-12)}`; \
      bom.metadata.timestamp = new Date(SOURCE_DATE_EPOCH * 1000).toISOString(); \
      Object.assign(bom.metadata.component, { type: "application", name: "m2m-oauth-operator", version: VERSION }); \
      bom.metadata.properties = [{ name: "org.opencontainers.image.revision", value: REVISION }]; \
      bom.components.unshift({ type: "container", "bom-ref": RUNTIME_IMAGE, name: RUNTIME_IMAGE }); \
      writeFileSync("/app/sbom.cdx.json", JSON.stringify(bom, undefined, 1));'
# What Node never reads: types, source maps, sources that were compiled, browser bundles, tests, documents. Licenses stay.
RUN find node_modules -type f \( -name '*.d.ts' -o -name '*.d.cts' -o -name '*.d.mts' -o -name '*.map' -o -name '*.md' \
      -o -name '*.markdown' -o -name '*.ts' -o -name '*.min.js' -o -name '*.tsbuildinfo' \) \
      ! -iname 'licen[cs]e*' ! -iname 'notice*' -exec rm -f {} + \
 && rm -rf node_modules/*/test node_modules/*/tests node_modules/*/docs node_modules/@types node_modules/.bin \
      node_modules/.package-lock.json node_modules/zod/src
RUN chmod -R u=rwX,go=rX node_modules sbom.cdx.json \
 && find node_modules sbom.cdx.json -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +

FROM ${BUILD_IMAGE} AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY operator ./operator
RUN npm run build && find dist -name '*.map' -exec rm -f {} +
COPY LICENSE ./
ARG SOURCE_DATE_EPOCH=0
RUN mkdir /app && mv LICENSE package.json dist /app && chmod -R u=rwX,go=rX /app \
 && find /app -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +

# What `make image` writes beside the image.
FROM scratch AS sbom
COPY --from=dependencies /app/sbom.cdx.json /sbom.cdx.json

FROM ${RUNTIME_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="m2m-oauth-operator" \
      org.opencontainers.image.description="Machine-to-machine OAuth access tokens as Kubernetes resources" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=dependencies /app/sbom.cdx.json /app/sbom.cdx.json
COPY --from=dependencies /app/node_modules /app/node_modules
COPY --from=build /app /app
WORKDIR /app
ENV NODE_ENV=production
# Numeric, so that kubelet can tell that it is not root.
USER 65532:65532
EXPOSE 9100 9101 9102 9104
# Node is process 1 and handles SIGTERM itself: it stops reconciling, gives up the Lease, drains, ends with 0.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/nodejs/bin/node", "/app/dist/main.js"]
CMD ["--config", "/etc/m2m-oauth-operator/config.yaml"]
