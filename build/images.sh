#!/usr/bin/env bash
# Builds both images without an image registry, and writes them as docker archives into the folder $1.
# Unchanged binaries are not packed again.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:?usage: build/images.sh FOLDER}
mkdir -p "$out/bin"
step() { printf '\033[1m==> %s\033[0m\n' "$*" >&2; }

step "binaries (static, release; about 6 minutes the first time on 2 cores)"
build/static.sh "$out/bin"
stamp=$(cat Dockerfile build/images.sh "$out/bin/operator" "$out/bin/engine" | sha256sum | cut -c1-16)
if [ "$(cat "$out/stamp" 2>/dev/null)" = "$stamp" ]; then
  step "images are up to date"
  exit 0
fi

# A builder image that brings the binaries, and a shell to see that they are there.
step "images"
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
mkdir -p "$context/out" "$context/bin"
cp "$out/bin/operator" "$out/bin/engine" "$context/out/"
busybox=$(command -v busybox) || { echo "busybox is missing: apt-get install busybox-static" >&2; exit 1; }
cp "$busybox" "$context/bin/sh"
printf 'FROM scratch\nCOPY bin /bin\nCOPY out /out\n' > "$context/Dockerfile"
build() { buildah --storage-driver vfs bud --quiet --isolation chroot --layers=false "$@" >/dev/null; }
build -t localhost/userengine-prebuilt:1 "$context"
for image in operator engine; do
  build --pull-never --build-arg BUILDER=localhost/userengine-prebuilt:1 --target "$image" -t "localhost/userengine-$image:0.1.0" .
  rm -f "$out/$image.tar"
  buildah --storage-driver vfs push --quiet "localhost/userengine-$image:0.1.0" "docker-archive:$out/$image.tar:localhost/userengine-$image:0.1.0"
done
buildah --storage-driver vfs rmi --force localhost/userengine-prebuilt:1 >/dev/null
echo "$stamp" > "$out/stamp"
ls -l "$out"/bin/* "$out"/*.tar >&2
