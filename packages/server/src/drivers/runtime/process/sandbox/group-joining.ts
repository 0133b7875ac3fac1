/**
 * The first lines of a shell script that makes the control groups in its first argument, one a line, and joins them: so
 * whatever starts from here on is in them from its first moment, with all its memory.
 */
export const joinGroups = `set -f
IFS='
'
if [ -n "$1" ]; then
  mkdir -- $1 || exit 125
  for directory in $1; do echo $$ > "$directory/cgroup.procs" || exit 125; done
fi
`;

export const shellPath = "/bin/sh";
