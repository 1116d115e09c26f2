# The edge on Node. Build from the project's folder: docker build -f deploy/docker/edge.Dockerfile -t describe-edge .
FROM node:24.22.3-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Without what runs the model and decodes pictures: the edge does neither.
RUN npm ci --omit=dev && npm cache clean --force \
  && rm -rf node_modules/onnxruntime-node node_modules/onnxruntime-common node_modules/sharp node_modules/@img

FROM node:24.22.3-bookworm-slim
WORKDIR /app
COPY --from=packages /app/node_modules node_modules
COPY package.json ./
COPY shared shared
COPY edge edge
COPY deploy/docker/probe.mjs deploy/docker/probe.mjs
# The volume is created from this folder, so it must belong to the user that writes there.
RUN mkdir /state && chown node:node /state
ENV NODE_ENV=production \
    STATE_DIR=/state \
    HOST=0.0.0.0 \
    METRICS_PORT=9465
USER node
VOLUME /state
EXPOSE 8787 9465
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "deploy/docker/probe.mjs", "http://127.0.0.1:9465/livez"]
CMD ["node", "edge/node/main.mjs"]
