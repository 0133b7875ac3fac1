# Run once a call. What it does stands in the header Fn-Do; everything else is the body.
case $FN_DO in
  echo) exec cat ;;
  tell) printf '%s' "$PPID $FN_FN_NAME $FN_CALL_ID $FN_CONTENT_TYPE $COLOUR ${1-}" ;;
  door) exec 3<>"/dev/tcp/127.0.0.1/${OCI_LOCAL_ENDPOINT##*:}" && printf 'knock\n' >&3 && head -n 1 <&3 ;;
  hang) echo $$ >&2 && exec sleep 600 ;;
  fail) printf 'half an answer' && exit 3 ;;
  late) head -c 200000 /dev/zero && exit 3 ;;
  deaf) printf 'heard nothing' ;;
esac
