{{- define "seatkeeper.name" -}}
{{ .Release.Name | replace "." "-" | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- /* Of things that are in no namespace: releases of other namespaces must not meet them. */}}
{{- define "seatkeeper.clusterName" -}}
{{ printf "%s:%s" .Release.Namespace (include "seatkeeper.name" .) }}
{{- end }}

{{- define "seatkeeper.selector" -}}
app.kubernetes.io/name: seatkeeper
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "seatkeeper.labels" -}}
{{ include "seatkeeper.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "seatkeeper.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (include "seatkeeper.name" .) }}
{{- end }}

{{- define "seatkeeper.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{- /* Rules of the scopes .scopes of files/access.yaml. */}}
{{- define "seatkeeper.rules" -}}
{{- range .root.Files.Get "files/access.yaml" | fromYamlArray }}
{{- if has .scope $.scopes }}
- apiGroups: [{{ .group | quote }}]
  resources: [{{ .resource | quote }}]
  {{- if and (eq .scope "namespaces") $.root.Values.watchNamespace }}
  resourceNames: [kube-system, {{ $.root.Values.watchNamespace }}]
  {{- else if .names }}
  resourceNames: {{ toJson .names }}
  {{- end }}
  verbs: {{ toJson .verbs }}
{{- end }}
{{- end }}
{{- end }}

{{- /* What keeps a container from more than it needs. */}}
{{- define "seatkeeper.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "seatkeeper.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "seatkeeper.hook" -}}
helm.sh/hook: pre-delete
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}
