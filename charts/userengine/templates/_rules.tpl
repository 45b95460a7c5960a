{{/*
What the operator does where engines are. Every rule has its reason. There is no list or watch on Secrets, no pods/exec and no
pods/log. What rules cannot say, such as "only our own", the policies in admission/ say.
*/}}
{{- define "userengine.rules" -}}
# The wishes of the users; patch: the finalizer.
- apiGroups: [userengine.dev]
  resources: [userengines]
  verbs: [get, list, watch, patch]
# What came of them.
- apiGroups: [userengine.dev]
  resources: [userengines/status]
  verbs: [patch]
# Owner references that block deletion, where the admission plugin OwnerReferencesPermissionEnforcement asks for it.
- apiGroups: [userengine.dev]
  resources: [userengines/finalizers]
  verbs: [update]
# The brain's volume. delete: deletionPolicy Delete and Erase.
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [get, list, watch, create, patch, delete]
# Keys and API keys, each by its name. patch: finalizers, and API keys, which are changed on request and their hashes
# mended. delete: keys that nothing needs any more after a rotation, and deletionPolicy Delete and Erase.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, create, patch, delete]
# The engine's identity, its settings, its catalog and its address. They go with their owner, so there is no delete.
- apiGroups: [""]
  resources: [serviceaccounts, configmaps, services]
  verbs: [get, list, watch, create, update]
# The engine's pod.
- apiGroups: [apps]
  resources: [statefulsets]
  verbs: [get, list, watch, create, update]
# What seals a brain with another key, one Job an attempt. list: those of one engine, by label, while a rotation is open.
# Nothing of a Job is ever changed, so there is no patch and no update.
- apiGroups: [batch]
  resources: [jobs]
  verbs: [list, create, delete]
# The walls around it.
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, update]
# Whether the pod serves, and why not; how a rotation's Job ended; and, while a rotation is open, who else mounts the
# volume. patch: an annotation, by which the kubelet brings a changed catalog or API key at once. delete: a pod whose
# kubelet waits before its next try, though what it lacked is there by now. What else these could do, admission/pods.yaml refuses.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, patch, delete]
# What keeps an engine from coming up shows there only: volumes, and pods that are refused. list: those of one object.
- apiGroups: [""]
  resources: [events]
  verbs: [list]
# Whether a pod that was refused may have room by now.
- apiGroups: [""]
  resources: [resourcequotas, limitranges]
  verbs: [list]
# What `kubectl describe` shows.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}
