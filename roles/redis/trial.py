"""Redis' own word on a configuration: it has no checker, so it is started with it."""

_TRIAL = """\
: > "$stage/log"
timeout 20 redis-server {arguments} --port 0 --unixsocket "$stage/redis.sock" --dir "$stage" \\
  --save '' --appendonly no --supervised no --daemonize no --logfile '' > "$stage/log" 2>&1 &
trial=$!
while kill -0 $trial 2> /dev/null && ! grep -qi 'ready to accept connections' "$stage/log"; do
  sleep 0.05
done
{{ kill $trial; wait $trial; }} 2> /dev/null || :
grep -qi 'ready to accept connections' "$stage/log" || {{ cat "$stage/log" >&2; exit 1; }}"""


def trial(arguments: str) -> str:
    """Shell that fails with Redis' log if it doesn't start with `arguments`.

    It listens on a socket in the directory `$stage` alone, and reads and writes no data.
    """
    return _TRIAL.format(arguments=arguments)
