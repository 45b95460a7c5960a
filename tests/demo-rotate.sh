# Sourced by demo-connect.sh while alice is connected: her encryption key is changed, and nothing of hers is lost.

ROTATION=demo-$(date +%s)
of_alice() { kubectl -n acme get userengine alice -o jsonpath="$1"; }

# Says what the rotation is at, each time that it changes.
follow_rotation() {
  local end=$((SECONDS + 180)) line last=""
  while [ "$SECONDS" -lt "$end" ]; do
    line=$(of_alice '{.status.phase} {.status.encryption.rotation.id} {.status.encryption.rotation.phase} {.status.encryption.rotation.message}')
    if [ "$line" != "$last" ]; then
      printf '    [%3ds] %s\n' "$SECONDS" "$line"
      last=$line
    fi
    case $line in
      "Ready $ROTATION Certified"*) return 0 ;;
      *" $ROTATION Refused"*|*" $ROTATION Failed"*|*" $ROTATION Rejected"*) return 1 ;;
    esac
    sleep 0.1
  done
  return 1
}

# `engine check` on alice's volume with one key and no other, while her engine is suspended.
check_with() { # kid
  local secret database
  secret=$(kubectl -n acme get secret -l "userengine.dev/engine=alice,userengine.dev/kid=$1" -o jsonpath='{.items[0].metadata.name}')
  database=$(kubectl -n acme get secret "$secret" -o jsonpath='{.metadata.annotations.userengine\.dev/database-id}')
  kubectl -n acme delete pod alice-check --ignore-not-found --wait >/dev/null
  kubectl -n acme apply -f - >/dev/null <<POD
{"apiVersion":"v1","kind":"Pod","metadata":{"name":"alice-check"},"spec":{"restartPolicy":"Never","automountServiceAccountToken":false,
 "securityContext":{"fsGroup":65532},
 "volumes":[{"name":"brain","persistentVolumeClaim":{"claimName":"alice-brain"}},
  {"name":"key","secret":{"secretName":"$secret","defaultMode":288,"items":[{"key":"key","path":"$1"}]}}],
 "containers":[{"name":"check","image":"localhost/userengine-engine:0.1.0","args":["check"],
  "securityContext":{"runAsUser":65532,"readOnlyRootFilesystem":true,${RESTRICTED#\{},
  "env":[{"name":"SQLITE_DB_PATH","value":"/data/brain.sqlite"},{"name":"KEYRING_DIR","value":"/keys"},{"name":"DATABASE_ID","value":"$database"}],
  "volumeMounts":[{"name":"brain","mountPath":"/data"},{"name":"key","mountPath":"/keys"}]}]}}
POD
  local n phase=""
  for n in $(seq 200); do
    phase=$(kubectl -n acme get pod alice-check -o jsonpath='{.status.phase}')
    case $phase in Succeeded|Failed) break ;; esac
    pause
  done
  kubectl -n acme logs alice-check | sed 's/^/    /'
  kubectl -n acme delete pod alice-check --wait >/dev/null
  [ "$phase" = Succeeded ]
}

step "alice's encryption key is changed, and her credentials with it"
OLD_KID=$(of_alice '{.status.encryption.activeKey}')
show kubectl -n acme patch userengine alice --type=merge -p "{\"spec\":{\"encryption\":{\"rotation\":{\"id\":\"$ROTATION\"}}}}"
follow_rotation || true
check "the rotation is certified" test "$(of_alice '{.status.encryption.rotation.phase}')" = Certified
show kubectl -n acme wait --for=condition=EncryptionUpToDate userengine/alice --timeout=60s
NEW_KID=$(of_alice '{.status.encryption.activeKey}')
check "another key seals now ($OLD_KID before, $NEW_KID now)" test "$OLD_KID" != "$NEW_KID"
echo '    the certificate, made by a process that had the new key and no other:'
of_alice '{.status.encryption.rotation.certificate}' | sed 's/^/    /; s/,"/,\n     "/g'
echo
forward
post /tools/call '{"name": "notes.read_notes", "arguments": {}}'
check "the same tool works with the same credential, without a new consent" says 'call bob'
kill "$FORWARD" 2>/dev/null || true
show kubectl -n acme patch userengine alice --type=merge -p '{"spec":{"suspended":true}}'
wait_for Suspended acme/alice
OPENS=no
! check_with "$OLD_KID" || OPENS=yes
check "the old key alone opens nothing" test "$OPENS" = no
! check_with "$NEW_KID" || OPENS=yes
check "the new key alone opens everything" test "$OPENS" = yes
show kubectl -n acme patch userengine alice --type=merge -p '{"spec":{"suspended":false}}'
wait_for Ready acme/alice
forward
