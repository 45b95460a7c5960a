{{/* The policies speak of the operator's own account, and of nobody else's. */}}
{{- define "userengine.admission.operator" -}}
- name: the-operator
  expression: "request.userInfo.username == 'system:serviceaccount:{{ .Release.Namespace }}:{{ include "userengine.name" . }}'"
{{- end -}}

{{/* What puts a policy in force. Takes a list: the chart's context, and the last word of the policy's name. */}}
{{- define "userengine.admission.binding" -}}
{{- $name := printf "%s-%s" (include "userengine.clusterName" (index . 0)) (index . 1) | quote -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {{ $name }}
  labels:
    {{- include "userengine.labels" (index . 0) | nindent 4 }}
spec:
  policyName: {{ $name }}
  validationActions: [Deny]
{{- end -}}

{{/*
Whose an object is. `engine`: what its label says, if it has both labels of ours, and can be the name of an engine: it becomes part of patterns. `owners`: the engines that own it.
An owner of a version that is not served would never be looked for by the garbage collector. `wasOurs`: the label of an engine was on
it, or an engine owned it. People may take labels off, and the operator puts them on again.
*/}}
{{- define "userengine.admission.variables" -}}
- name: engine
  expression: >-
    object != null && object.metadata.?labels[?'app.kubernetes.io/managed-by'].orValue('') == 'userengine-operator'
    && object.metadata.?labels[?'userengine.dev/engine'].orValue('').matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')
    ? object.metadata.?labels[?'userengine.dev/engine'].orValue('') : ''
- name: owners
  expression: >-
    object == null ? [] : object.metadata.?ownerReferences.orValue([]).filter(owner, owner.?controller.orValue(false)
    && owner.kind == 'UserEngine' && owner.apiVersion == 'userengine.dev/v1alpha1').map(owner, owner.name)
- name: wasOurs
  expression: >-
    oldObject != null && ('userengine.dev/engine' in oldObject.metadata.?labels.orValue({})
    || oldObject.metadata.?ownerReferences.orValue([]).exists(owner, owner.?controller.orValue(false)
    && owner.kind == 'UserEngine' && owner.apiVersion.startsWith('userengine.dev/')))
{{- end -}}
