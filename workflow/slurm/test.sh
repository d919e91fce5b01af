#!/usr/bin/env bash
# The grid on a real Slurm of one node, against a run without it: the rows must be the same to the last digit.
#
#   workflow/slurm/test.sh        # from the checkout, after `make reproduce-quick` made the environments
#
# For root on Debian, on a machine that may be changed, such as a container: slurm-wlm and munge are installed where they
# are missing. Daemons and files live in a scratch folder, but for a link to its slurm.conf in /etc/slurm, and end with
# the script. Twelve small cells on simulators, two a job. One job is cancelled half-way and must come back by itself;
# then the whole run is interrupted and started again, and no cell that had ended may run twice.
set -euo pipefail
cd "$(dirname "$0")/../.."
export OMP_NUM_THREADS=1 # a job has one core, and sums come out the same
python=$PWD/.venv/bin/python snakemake=$PWD/.venv/workflow/bin/snakemake
[ "$(id -u)" = 0 ] || { echo "test.sh: must be root, to start Slurm's daemons" >&2; exit 2; }
[ -x "$snakemake" ] || { echo "test.sh: Snakemake is not here: make reproduce-quick gets it" >&2; exit 2; }
{ command -v slurmctld && command -v slurmd && command -v munged; } >/dev/null || {
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends slurm-wlm munge
}
[ ! -e /etc/slurm/slurm.conf ] || { echo "test.sh: /etc/slurm/slurm.conf: a Slurm is set up here already" >&2; exit 2; }

scratch=$(mktemp -d)
cores=$(getconf _NPROCESSORS_ONLN) memory=$(awk '/MemTotal/ { print int($2 / 1024) }' /proc/meminfo) # in MB
chmod 755 "$scratch" # munge's clients must reach its socket
run=
finish() {
  [ -z "$run" ] || { kill "$run" && wait "$run"; } 2>/dev/null || true # it cancels its jobs first
  for daemon in slurmd slurmctld munged; do
    pid=$(cat "$scratch/$daemon.pid" 2>/dev/null) || continue
    kill "$pid" || continue
    while kill -0 "$pid" 2>/dev/null; do sleep 0.2; done # they write their state last
  done
  rm -f /etc/slurm/slurm.conf
  [ -n "${KEEP:-}" ] && echo "kept: $scratch" || rm -rf "$scratch"
}
trap finish EXIT
say() { printf '%s  %s\n' "$(date +%T)" "$*"; }
die() { say "FAILED: $*"; KEEP=1; exit 1; }

# --- Slurm: one node, one partition, no accounting database
mkdir "$scratch"/{state,spool,munge}
head -c 1024 /dev/urandom >"$scratch/munge/key"
chmod 700 "$scratch/munge"; chmod 600 "$scratch/munge/key"
cat >"$scratch/slurm.conf" <<END
ClusterName=test
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$scratch/munge.socket
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
ReturnToService=2
KillWait=5
StateSaveLocation=$scratch/state
SlurmdSpoolDir=$scratch/spool
SlurmctldPidFile=$scratch/slurmctld.pid
SlurmdPidFile=$scratch/slurmd.pid
SlurmctldLogFile=$scratch/slurmctld.log
SlurmdLogFile=$scratch/slurmd.log
NodeName=$(hostname -s) NodeAddr=127.0.0.1 CPUs=$cores RealMemory=$memory
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
END
mkdir -p /etc/slurm
ln -s "$scratch/slurm.conf" /etc/slurm/slurm.conf # SLURM_CONF does not reach srun within a job
munged --key-file="$scratch/munge/key" --socket="$scratch/munge.socket" --pid-file="$scratch/munged.pid" \
  --log-file="$scratch/munge/log" --seed-file="$scratch/munge/seed"
slurmctld
slurmd
for _ in $(seq 30); do [ "$(sinfo --noheader --format=%T 2>/dev/null)" = idle ] && break; sleep 1; done
[ "$(sinfo --noheader --format=%T)" = idle ] || die "the node did not come up: $(tail -n 3 "$scratch"/slurm*.log)"
say "$(slurmctld -V), one node of $cores cores: up"

# --- two copies of the code, so that neither run finds what the other one made
cat >"$scratch/grid.json" <<'END'
[{"dataset": ["ecg-sim", "sleepeeg-sim"], "quick": true, "iterations": 10, "fidelity": ["released", "original"],
  "method": ["infonce", "emargin", "cpc"]}]
END
for copy in local cluster; do
  mkdir "$scratch/$copy"
  cp -R emargin companion workflow pyproject.toml "$scratch/$copy"
done

# The profile, with the lines for this Slurm filled in as its comments say.
sed -i -e 's/# - slurm_partition=NAME/- slurm_partition=main/' -e 's/# - slurm_account=NAME/- slurm_account=none/' \
  -e 's/# slurm-status-command/slurm-status-command/' "$scratch/cluster/workflow/profiles/slurm/config.yaml"
echo "slurm-init-seconds-before-status-checks: 5" >>"$scratch/cluster/workflow/profiles/slurm/config.yaml"

rows() { find "$scratch/cluster/runs/cells" -name rows.csv 2>/dev/null; }
ended() { rows | wc -l; }
running() { squeue --noheader --states=R --format=%i | head -n 1; }
start() { # in a group of its own, as a terminal would have it
  (cd "$scratch/cluster" && exec setsid "$python" -m companion.grid.reproduce "$scratch/grid.json" --out results --jobs 2 \
    --cells 2 --profile workflow/profiles/slurm --snakemake "$snakemake") >>"$scratch/run.log" 2>&1 &
  run=$!
}
wait_for() { # seconds, what, command: until it holds; the run must go on meanwhile
  for _ in $(seq "$1"); do
    if "${@:3}"; then return; fi
    kill -0 "$run" 2>/dev/null || die "the run ended while it was awaited that $2: $(tail -n 20 "$scratch/run.log")"
    sleep 1
  done
  die "after $1 s it is not so that $2: $(tail -n 20 "$scratch/run.log")"
}
at_least() { [ "$(ended)" -ge "$1" ]; }
resubmitted() { grep -q "Trying to restart job" "$scratch/run.log"; }

# --- on Slurm: cancel a job, interrupt the run, resume
start
wait_for 600 "the first cell ends" at_least 1
job=$(running)
scancel "$job"
say "job $job cancelled with $(ended) of 12 cells ended"
wait_for 120 "the cancelled job is submitted again" resubmitted
say "its cells were submitted again"
wait_for 900 "half of the cells end" at_least 6
kill -INT -- "-$run"
wait "$run" && die "an interrupted run must not succeed" || status=$?
[ "$status" = 130 ] || die "an interrupted run ends with status $status, not 130"
for _ in $(seq 30); do [ -z "$(squeue --noheader)" ] && break; sleep 1; done
[ -z "$(squeue --noheader)" ] || die "jobs go on after the run was interrupted: $(squeue)"
before=$(ended)
say "interrupted with $before of 12 cells ended, no job left in the queue"
touch "$scratch/interrupted"
start
wait "$run" || die "the resumed run failed: $(tail -n 20 "$scratch/run.log")"
run=
again=$(find "$scratch/cluster/runs/cells" -name rows.csv -newer "$scratch/interrupted" | wc -l)
[ "$again" = $((12 - before)) ] || die "$again cells ran after the interruption, not the $((12 - before)) that were left"
say "resumed: $again cells ran, those that were left"
(cd "$scratch/cluster" && "$python" -m companion.grid.reproduce "$scratch/grid.json" --out results --snakemake false) |
  grep "Nothing to run" >/dev/null || die "a second run does something"
say "run once more: nothing to do"

# --- without Slurm and Snakemake, in one process
(cd "$scratch/local" && "$python" -m companion run --grid "$scratch/grid.json" --out results) >"$scratch/local.log" 2>&1 ||
  die "the local run failed: $(tail -n 5 "$scratch/local.log")"
lines=$(wc -l <"$scratch/local/results/rows.csv")
failed=$(grep ",failed," "$scratch/local/results/rows.csv") && die "cells failed: $failed"
cmp "$scratch/local/results/rows.csv" "$scratch/cluster/results/rows.csv" || die "the rows differ"
cmp "$scratch/local/results/arrays.npz" "$scratch/cluster/results/arrays.npz" || die "the arrays differ"
say "12 cells, $((lines - 1)) rows: identical to those of a run in one process, and so are the arrays"
say "PASSED: $(grep -c "submitted with SLURM jobid" "$scratch/run.log") Slurm jobs"
