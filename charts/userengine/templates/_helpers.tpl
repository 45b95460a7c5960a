{{- define "userengine.name" -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{/* The engines' NetworkPolicy lets in pods with exactly this name label. */}}
{{- define "userengine.selector" -}}
app.kubernetes.io/name: userengine-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "userengine.labels" -}}
{{ include "userengine.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "userengine.relay.name" -}}
{{- printf "%s-relay" (include "userengine.name" .) -}}
{{- end -}}

{{/* Not the operator's name: engines let that one in. */}}
{{- define "userengine.relay.selector" -}}
app.kubernetes.io/name: userengine-relay
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "userengine.relay.labels" -}}
{{ include "userengine.relay.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* Not the operator's name: engines let that one in, and this one has no business with them. */}}
{{- define "userengine.predelete.labels" -}}
app.kubernetes.io/name: userengine-pre-delete
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}
