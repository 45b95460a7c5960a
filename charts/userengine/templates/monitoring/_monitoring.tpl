{{/* Labels of ours, and those of the values, which win. Takes a list: the former as YAML, and the latter. */}}
{{- define "userengine.monitoring.labels" -}}
{{- toYaml (merge (deepCopy (index . 1 | default dict)) (fromYaml (index . 0))) -}}
{{- end -}}

{{/* Where an alert's runbook is. Takes a list: the chart's context, and a heading's anchor in docs/operations.md. */}}
{{- define "userengine.monitoring.runbook" -}}
{{- with (index . 0).Values.monitoring.rules.runbookURL -}}
runbook_url: {{ printf "%s#%s" . (index $ 1) | quote }}
{{- end -}}
{{- end -}}
