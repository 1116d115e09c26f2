# The backend on the CPU. Build from the project's folder: docker build -f deploy/docker/backend.Dockerfile -t describe-backend .
FROM node:24.22.3-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev && npm cache clean --force

FROM node:24.22.3-bookworm-slim
WORKDIR /app
COPY --from=packages /app/node_modules node_modules
COPY package.json ./
COPY shared shared
COPY backend backend
COPY models models
COPY deploy/docker/probe.mjs deploy/docker/probe.mjs
# The volume is created from this folder, so it must belong to the user that writes there.
RUN mkdir -p /state/models /state/checkpoints && chown -R node:node /state
ENV NODE_ENV=production \
    STATE_DIR=/state \
    BACKEND_HOST=0.0.0.0 \
    BACKEND_METRICS_PORT=9464
USER node
VOLUME /state
EXPOSE 8443 9464
# A first start converts the weights, which takes minutes for the full model.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30m --retries=3 \
  CMD ["node", "deploy/docker/probe.mjs", "http://127.0.0.1:9464/readyz"]
CMD ["node", "backend/main.mjs"]
