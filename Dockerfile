# The exchange as an image. Alone it keeps its counters in the volume /data; with REDIS_URL, in Redis.
#   docker build -t ad-exchange . && docker run --rm -p 8000:8000 -v exchange:/data ad-exchange
ARG BUN=oven/bun:1.4.5-slim

FROM ${BUN} AS build
WORKDIR /app
COPY package.json bun.lock bunfig.toml ./
RUN bun install --frozen-lockfile --production
# Half of what was installed is never loaded: source maps, types, the packages' own tests and pages,
# and the builds of Swagger UI that /docs does not serve. Licences stay.
RUN find node_modules -type d \( -name test -o -name benchmarks -o -name examples -o -name docs \) \
      -prune -exec rm -rf {} + \
 && find node_modules -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' \
      -o -name '*.d.cts' -o -name '*.md' \) ! -iname 'licen[cs]e*' -delete \
 && find node_modules/swagger-ui-dist -type f ! -name package.json ! -name LICENSE ! -name NOTICE \
      ! -name swagger-ui.css ! -name 'swagger-ui-bundle.js*' -delete
COPY LICENSE ./
COPY src src
COPY data data
# Readable whatever the umask of the clone was. Every module is loaded and the catalog checked:
# stripping too much, or a catalog with a mistake, ends the build and not the start.
RUN chmod -R a+rX . && bun src/main.ts check \
 && bun -e 'await import("/app/src/supervisor.ts"); await import("/app/src/worker.ts")'

FROM ${BUN}
LABEL org.opencontainers.image.title="ad-exchange" \
      org.opencontainers.image.description="A real-time ad exchange auction service on Bun" \
      org.opencontainers.image.licenses="MIT"
# A new volume takes the owner of the folder that it covers.
RUN mkdir /data && chown bun:bun /data
ENV NODE_ENV=production DATA_DIR=/data
WORKDIR /app
# Owned by root: the service cannot change its own code.
COPY --from=build /app ./
USER bun
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=3 \
  CMD ["bun", "src/main.ts", "healthcheck"]
# No shell and no `bun run` in between: signals reach the supervisor itself.
ENTRYPOINT ["bun", "src/main.ts"]
CMD ["serve"]
