#!/usr/bin/env bash
# Packs oauth_server.py into an image, for the tests on a cluster: this machine's Python, the packages of the part `python`
# and the shared libraries that either loads. No image registry, and nothing of another distribution.
#
#   tests/peers/image.sh FILE.tar      docker archive of localhost/userengine-oauth-server:1
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
out=${1:?usage: tests/peers/image.sh FILE.tar}
image=localhost/userengine-oauth-server:1
step() { printf '\033[1m==> %s\033[0m\n' "$*" >&2; }

tests/peers.sh python
venv=${XDG_CACHE_HOME:-$HOME/.cache}/userengine/peers/python
mkdir -p "$(dirname "$out")"
stamp=$(cat "$venv/stamp" tests/peers/oauth_server.py tests/peers/image.sh | sha256sum | cut -c1-16)
[ "$(cat "$out.stamp" 2>/dev/null)" != "$stamp" ] || [ ! -f "$out" ] || exit 0

step "image of the OAuth-protected MCP server (about half a minute)"
stdlib=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
version=$(basename "$stdlib")
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
python=$context/root/python
mkdir -p "$python/bin" "$python/lib" "$python/native"
cp -L "$venv/bin/python" "$python/bin/python3"
skipped=(test tests idlelib tkinter turtledemo ensurepip lib2to3 __pycache__ site-packages dist-packages 'config-*')
tar -C "$(dirname "$stdlib")" -cf - "${skipped[@]/#/--exclude=}" "$version" | tar -C "$python/lib" -xf -
tar -C "$venv/lib/$version" -cf - --exclude=__pycache__ --exclude=pip site-packages | tar -C "$python/lib/$version" -xf -
cp tests/peers/oauth_server.py "$python/"

# Every library that the interpreter and its extensions load, by its name. Those that a wheel brings are found beside it.
find "$python" "$venv/bin/python" \( -name '*.so*' -o -path '*/bin/python*' \) -exec ldd {} + 2>/dev/null |
  awk '/=> \//{print $1, $3}' | sort -u | while read -r name path; do
  [[ $path == "$context"/* ]] || [ -e "$python/native/$name" ] || cp -L "$path" "$python/native/$name"
done
loader=$(ldd "$python/bin/python3" | awk '/ld-linux/{print $1; exit}')
mkdir -p "$context/root$(dirname "$loader")" "$context/root/tmp"
cp -L "$loader" "$context/root$loader"
# Compiled now: the root of the container is read-only.
"$venv/bin/python" -m compileall -q -j 0 --invalidation-mode unchecked-hash "$python/lib" >/dev/null || true

cat >"$context/Dockerfile" <<'DOCKERFILE'
FROM scratch
COPY root /
ENV PYTHONHOME=/python LD_LIBRARY_PATH=/python/native PYTHONDONTWRITEBYTECODE=1 HOME=/tmp
USER 65532:65532
ENTRYPOINT ["/python/bin/python3", "/python/oauth_server.py"]
DOCKERFILE
buildah --storage-driver vfs bud --quiet --isolation chroot --layers=false -t "$image" "$context" >/dev/null
rm -f "$out"
buildah --storage-driver vfs push --quiet "$image" "docker-archive:$out:$image"
buildah --storage-driver vfs rmi --force "$image" >/dev/null
echo "$stamp" >"$out.stamp"
ls -l "$out" >&2
