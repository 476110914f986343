# Debian packages for ./run and tests/run, which source this file.
# shellcheck shell=bash
# shellcheck disable=SC2034 # the lists are for those who source it

# What the program, its front, its package and a local Kafka need.
run_packages=(build-essential cmake pkg-config libfcgi-dev librdkafka-dev libjansson-dev libjwt-dev
    libevent-dev libssl-dev uthash-dev libxxhash-dev file lighttpd lighttpd-mod-openssl lighttpd-mod-deflate openssl kcat curl
    spawn-fcgi ca-certificates default-jre-headless maven)

# What tests need besides. Unit tests are content with the first, `tests/run core` with core_packages.
unit_packages=(libcmocka-dev)
instructions_packages=(valgrind)
lint_packages=(clang-format clang-tidy shellcheck)
fuzz_packages=(clang libclang-rt-dev)
# podman in place of Docker; iproute2, util-linux: a machine of its own for it, or for a browser, iptables for its
# network; python3-*: podman-compose.
container_packages=(podman runc iproute2 util-linux iptables python3-pip python3-yaml python3-dotenv)
core_packages=(python3 python3-pytest python3-pytest-xdist python3-pytest-rerunfailures
    python3-confluent-kafka python3-cryptography python3-selenium jq)
integration_packages=("${core_packages[@]}" python3-requests chromium chromium-driver firefox-esr nodejs npm groff-base
    apache2 nginx haproxy libfcgi-bin lintian mmdebstrap logrotate "${container_packages[@]}")

# In which the releases of Debian differ: podman's networks are CNI's or netavark's, for instance. What is
# not in one is named for the tests, which leave out those that need it, and no others.
# shellcheck source=/dev/null
case $(. /etc/os-release && echo "${VERSION_ID:-}") in
    12)
        other_version=13 other_release=trixie
        promtool_package=prometheus
        integration_packages+=(h2o
            golang-github-containernetworking-plugin-dnsname dnsmasq-base)
        not_in_release=()
        ;;
    *)
        other_version=12 other_release=bookworm
        promtool_package=promtool
        integration_packages+=(aardvark-dns nftables)
        not_in_release=(h2o)
        ;;
esac

# Debian 12 has it only in a package that would start a server on one of our ports.
fetch_promtool() {
    local directory=build/promtool
    if [[ -x $directory/promtool ]]; then return; fi
    mkdir -p "$directory"
    (cd "$directory" && apt-get download -q=2 -o APT::Sandbox::User=root "$promtool_package")
    dpkg-deb --fsys-tarfile "$directory/$promtool_package"_*.deb |
        tar -x -C "$directory" --strip-components=3 ./usr/bin/promtool
    rm "$directory/$promtool_package"_*.deb
}

has_java_17() {
    command -v java >/dev/null && java -version 2>&1 | grep -qE 'version "(1[7-9]|[2-9][0-9])'
}

# Prints those of the given packages that are not installed.
missing_packages() {
    local installed name
    installed=$(dpkg-query -Wf '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || true)
    for name in "$@"; do
        if grep -qx "installed $name" <<<"$installed"; then continue; fi
        # Node.js from elsewhere brings its own npm, which Debian's package would collide with.
        if [[ $name == npm ]] && command -v npm >/dev/null; then continue; fi
        if [[ $name == default-jre-headless ]] && has_java_17; then continue; fi
        echo "$name"
    done
}

# Of the given packages, prints those that apt can install.
available_packages() {
    apt-cache policy "$@" | awk '/^[^ ].*:$/ { name = $0; sub(/:$/, "", name) }
        $1 == "Candidate:" && $2 != "(none)" { print name }'
}

# Installs what is missing, and says what and how much before. What cannot be had is named; with
# --what-there-is the others are installed all the same, else nothing is.
install_packages() {
    local partly=
    local -a missing lacking as_root=()
    if [[ $1 == --what-there-is ]]; then
        partly=yes
        shift
    fi
    mapfile -t missing < <(missing_packages "$@")
    if ((${#missing[@]} == 0)); then return; fi
    if ((EUID != 0)); then as_root=(sudo); fi
    "${as_root[@]}" apt-get update -q=2 || echo "apt-get update failed, trying with the lists that are there" >&2
    mapfile -t lacking < <(printf '%s\n' "${missing[@]}" | grep -vxFf <(available_packages "${missing[@]}"))
    if ((${#lacking[@]})); then
        echo "Not to be had from the configured package sources: ${lacking[*]}" >&2
        [[ $partly ]] || return 1
        mapfile -t missing < <(available_packages "${missing[@]}")
        if ((${#missing[@]} == 0)); then return; fi
    fi
    echo "Installing Debian packages: ${missing[*]}"
    apt-get install --assume-no --no-install-recommends "${missing[@]}" 2>/dev/null |
        grep -E '^(Need to get|After this)' || true
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q=2 --no-install-recommends "${missing[@]}" </dev/null >/dev/null
}
