#!/bin/sh
# Another architecture's Python, run by emulation: tools/foreign_python.sh FOLDER [ARCHITECTURE]
#
# Fetches qemu-user-static and that architecture's python3 and numpy as Debian packages, unpacks them into FOLDER
# (nothing is installed, no root is needed), and writes FOLDER/python, which runs it. The default, s390x, is
# big-endian. Then: NEUROCODEC_FOREIGN_PYTHON=FOLDER/python python -m pytest tests/tools/test_foreign.py
set -eu
folder=$(mkdir -p "$1" && cd "$1" && pwd)
architecture=${2:-s390x}
apt=$folder/apt
mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$folder/root" "$folder/host"
: > "$apt/status"
cat > "$apt/conf" <<END
APT::Architecture "$architecture";
APT::Architectures { "$architecture"; };
Dir::State "$apt";
Dir::State::Lists "$apt/lists";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
Dir::Etc::SourceList "$apt/sources.list";
Dir::Etc::SourceParts "-";
APT::Sandbox::User "$(id -un)";
END
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian bookworm main" \
    > "$apt/sources.list"
APT_CONFIG=$apt/conf apt-get -q update
APT_CONFIG=$apt/conf apt-get -qy install --no-install-recommends --download-only \
    python3-minimal libpython3.11-stdlib python3-numpy
for package in "$apt"/cache/archives/*.deb; do dpkg -x "$package" "$folder/root"; done
(cd "$apt" && apt-get -q -o APT::Sandbox::User="$(id -un)" download qemu-user-static)
dpkg -x "$apt"/qemu-user-static_*.deb "$folder/host"
emulator=$architecture
case $architecture in arm64) emulator=aarch64 ;; ppc64el) emulator=ppc64le ;; armhf) emulator=arm ;; esac
libraries=$(cd "$folder/root" && ls -d usr/lib/*/blas usr/lib/*/lapack | sed 's,^,/,' | tr '\n' ':')
cat > "$folder/python" <<END
#!/bin/sh
exec "$folder/host/usr/bin/qemu-$emulator-static" -L "$folder/root" -E LD_LIBRARY_PATH=$libraries \\
    "$folder/root/usr/bin/python3.11" "\$@"
END
chmod +x "$folder/python"
"$folder/python" -c 'import numpy, platform, sys; print(platform.machine(), sys.byteorder, numpy.__version__)'
