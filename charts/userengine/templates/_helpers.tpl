{{/*
Part of names: no dots and a letter first, because a Service's name may have no dots and begins with a letter; and short, so that what
is put behind it fits into 63 characters.
*/}}
{{- define "userengine.name" -}}
{{- $name := .Release.Name | replace "." "-" -}}
{{- if regexMatch "^[0-9]" $name }}{{ $name = printf "userengine-%s" $name }}{{ end -}}
{{- $name | trunc 50 | trimAll "-" -}}
{{- end -}}

{{/* What is in no namespace is named by the release's: a release in another namespace may have the same name. */}}
{{- define "userengine.clusterName" -}}
{{- printf "%s.%s" .Release.Namespace (include "userengine.name" .) -}}
{{- end -}}

{{/* A version as a label's value. */}}
{{- define "userengine.version" -}}
{{- . | replace "+" "_" | trunc 63 | trimAll "-_." -}}
{{- end -}}

{{/* Takes a list: the chart's context, and an image of the values. */}}
{{- define "userengine.image" -}}
{{- $image := index . 1 -}}
{{- printf "%s:%s" $image.repository ($image.tag | default ((index . 0).Chart.AppVersion | replace "+" "_")) | quote -}}
{{- end -}}

{{/* What each object has, whatever it belongs to. */}}
{{- define "userengine.labels.common" -}}
app.kubernetes.io/version: {{ include "userengine.version" .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ include "userengine.version" (printf "%s-%s" .Chart.Name .Chart.Version) | quote }}
{{- end -}}

{{/* The engines' NetworkPolicy lets in pods with exactly this name label. */}}
{{- define "userengine.selector" -}}
app.kubernetes.io/name: userengine-operator
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "userengine.labels" -}}
{{ include "userengine.selector" . }}
{{ include "userengine.labels.common" . }}
{{- end -}}

{{- define "userengine.relay.name" -}}
{{- printf "%s-relay" (include "userengine.name" .) -}}
{{- end -}}

{{/* Not the operator's name: engines let that one in. */}}
{{- define "userengine.relay.selector" -}}
app.kubernetes.io/name: userengine-relay
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "userengine.relay.labels" -}}
{{ include "userengine.relay.selector" . }}
{{ include "userengine.labels.common" . }}
{{- end -}}

{{/* Not the operator's name: engines let that one in, and this one has no business with them. */}}
{{- define "userengine.predelete.labels" -}}
app.kubernetes.io/name: userengine-pre-delete
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{ include "userengine.labels.common" . }}
{{- end -}}
