# The backend on a graphics card. Build from the project's folder: docker build -f deploy/docker/backend-gpu.Dockerfile -t describe-backend-gpu .
# NVIDIA's driver comes from the host; for AMD and Intel, add --build-arg DRIVERS=mesa-vulkan-drivers.
FROM node:24.22.3-trixie-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev && npm cache clean --force

FROM node:24.22.3-trixie-slim
ARG DRIVERS=""
# Vulkan's loader, and the libraries that NVIDIA's driver loads even without a display. Mesa's driver that computes on the
# CPU would hide that the card is missing.
RUN apt-get update \
  && apt-get install -y --no-install-recommends libvulkan1 libegl1 libx11-6 libxext6 $DRIVERS \
  && rm -rf /var/lib/apt/lists/* /usr/share/vulkan/icd.d/lvp_icd*
WORKDIR /app
COPY --from=packages /app/node_modules node_modules
COPY package.json ./
COPY shared shared
COPY backend backend
COPY models models
COPY deploy/docker/probe.mjs deploy/docker/probe.mjs
# The volume is created from this folder, so it must belong to the user that writes there.
RUN mkdir -p /state/models /state/checkpoints /state/cache && chown -R node:node /state
# The container toolkit passes on Vulkan only with `graphics`. Drivers keep compiled kernels in XDG_CACHE_HOME.
ENV NODE_ENV=production \
    STATE_DIR=/state \
    XDG_CACHE_HOME=/state/cache \
    PROVIDER=webgpu \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility,graphics \
    BACKEND_HOST=0.0.0.0 \
    BACKEND_METRICS_PORT=9464
USER node
VOLUME /state
EXPOSE 8443 9464
# A first start converts the weights, which takes minutes for the full model.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30m --retries=3 \
  CMD ["node", "deploy/docker/probe.mjs", "http://127.0.0.1:9464/readyz"]
CMD ["node", "backend/main.mjs"]
