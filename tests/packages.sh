# Debian packages for ./run and tests/run, which source this file.
# shellcheck shell=bash
# shellcheck disable=SC2034 # the lists are for those who source it

# What the program, its front and a local Kafka need.
run_packages=(build-essential cmake pkg-config libfcgi-dev librdkafka-dev libjansson-dev libjwt-dev
    libevent-dev libssl-dev uthash-dev libxxhash-dev lighttpd lighttpd-mod-openssl openssl kcat curl
    spawn-fcgi ca-certificates openjdk-17-jre-headless maven)

# What tests need besides. Unit tests are content with the first.
unit_packages=(libcmocka-dev)
instructions_packages=(valgrind)
lint_packages=(clang-format clang-tidy shellcheck)
fuzz_packages=(clang libclang-rt-14-dev)
# podman in place of Docker; iproute2, util-linux: a machine of its own for it; python3-*: podman-compose.
container_packages=(podman runc golang-github-containernetworking-plugin-dnsname dnsmasq-base iptables
    iproute2 util-linux python3-pip python3-yaml python3-dotenv)
integration_packages=(python3 python3-pytest python3-pytest-xdist python3-confluent-kafka
    python3-cryptography python3-selenium chromium chromium-driver nodejs npm groff-base apache2 nginx
    haproxy h2o lintian mmdebstrap "${container_packages[@]}")

# What Debian has only in a package that would start a server on one of our ports.
fetch_promtool() {
    local directory=build/promtool
    if [[ -x $directory/promtool ]]; then return; fi
    mkdir -p "$directory"
    (cd "$directory" && apt-get download -q=2 -o APT::Sandbox::User=root prometheus)
    dpkg-deb --fsys-tarfile "$directory"/prometheus_*.deb |
        tar -x -C "$directory" --strip-components=3 ./usr/bin/promtool
    rm "$directory"/prometheus_*.deb
}

# Prints those of the given packages that are not installed.
missing_packages() {
    local installed name
    installed=$(dpkg-query -Wf '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || true)
    for name in "$@"; do
        if grep -qx "installed $name" <<<"$installed"; then continue; fi
        # Node.js from elsewhere brings its own npm, which Debian's package would collide with.
        if [[ $name == npm ]] && command -v npm >/dev/null; then continue; fi
        echo "$name"
    done
}

# Installs what is missing, and says what and how much before.
install_packages() {
    local -a missing as_root=()
    mapfile -t missing < <(missing_packages "$@")
    if ((${#missing[@]} == 0)); then return; fi
    if ((EUID != 0)); then as_root=(sudo); fi
    echo "Installing Debian packages: ${missing[*]}"
    "${as_root[@]}" apt-get update -q=2 || echo "apt-get update failed, trying with the lists that are there" >&2
    if ! apt-get install --simulate --no-install-recommends "${missing[@]}" >/dev/null; then
        echo "These packages cannot be had from the configured package sources: ${missing[*]}" >&2
        return 1
    fi
    apt-get install --assume-no --no-install-recommends "${missing[@]}" 2>/dev/null |
        grep -E '^(Need to get|After this)' || true
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q=2 --no-install-recommends "${missing[@]}" </dev/null >/dev/null
}
