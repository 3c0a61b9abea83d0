{{- define "m2m.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "m2m.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- $name := include "m2m.name" . }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Cluster-scoped objects: two releases in two namespaces do not share them. */}}
{{- define "m2m.clusterName" -}}
{{- if eq .Release.Namespace "m2m-oauth-system" }}
{{- include "m2m.fullname" . }}
{{- else }}
{{- printf "%s-%s" (include "m2m.fullname" .) .Release.Namespace | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "m2m.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "m2m.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- required "serviceAccount.name: say which, where serviceAccount.create is false" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "m2m.selectorLabels" -}}
app.kubernetes.io/name: {{ include "m2m.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- /* The label app.kubernetes.io/managed-by=m2m-oauth-operator marks objects that the operator manages; these have Helm's value. */}}
{{- define "m2m.labels" -}}
{{- $labels := include "m2m.selectorLabels" . | fromYaml }}
{{- $_ := set $labels "app.kubernetes.io/part-of" "m2m-oauth-operator" }}
{{- $_ = set $labels "app.kubernetes.io/version" .Chart.AppVersion }}
{{- $_ = set $labels "app.kubernetes.io/managed-by" .Release.Service }}
{{- $_ = set $labels "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_") }}
{{- /* The labels of the chart take precedence: Services select by them. */}}
{{- toYaml (merge $labels .Values.commonLabels) }}
{{- end }}

{{- /* metadata of an object: (dict "root" $ "name" name "namespaced" true "labels" dict "annotations" dict) */}}
{{- define "m2m.metadata" -}}
name: {{ .name }}
{{- if ne .namespace "" }}
namespace: {{ .namespace }}
{{- end }}
labels:
  {{- toYaml (merge (include "m2m.labels" .root | fromYaml) (default dict .labels)) | nindent 2 }}
{{- with merge (dict) (default dict .annotations) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "m2m.image" -}}
{{- $image := .Values.image }}
{{- if $image.digest }}
{{- printf "%s@%s" $image.repository $image.digest }}
{{- else }}
{{- printf "%s:%s" $image.repository (default .Chart.AppVersion $image.tag) }}
{{- end }}
{{- end }}

{{- define "m2m.tlsSecret" -}}
{{- if eq .Values.tls.mode "Secret" }}
{{- required "tls.secretName: say which, where tls.mode is Secret" .Values.tls.secretName }}
{{- else }}
{{- printf "%s-tls" (include "m2m.fullname" .) }}
{{- end }}
{{- end }}

{{- /*
Whether a listener requires client certificates: (dict "root" $ "listener" "grpc"). An empty result means no. The old `required`
means gRPC, and has no effect without `caSecretName` or with `tls.mode: None`, as before.
*/}}
{{- define "m2m.requiresCertificates" -}}
{{- $tls := .root.Values.tls }}
{{- $certificates := $tls.clientCertificates }}
{{- if has .listener $certificates.requiredFor }}
{{- $_ := required "tls.clientCertificates.caSecretName: say which Secret has the CA of client certificates, where requiredFor is set" $certificates.caSecretName }}
{{- if eq $tls.mode "None" }}
{{- fail "tls.clientCertificates.requiredFor: there are no client certificates in plain text, use another tls.mode" }}
{{- end }}true
{{- else if and (eq .listener "grpc") $certificates.required $certificates.caSecretName (ne $tls.mode "None") }}true
{{- end }}
{{- end }}

{{- define "m2m.scheme" -}}
{{- if eq .Values.tls.mode "None" }}http{{ else }}https{{ end }}
{{- end }}

{{- define "m2m.host" -}}
{{- printf "%s.%s.svc" (include "m2m.fullname" .) .Release.Namespace }}
{{- end }}

{{- define "m2m.issuerURL" -}}
{{- if .Values.config.issuer.url }}
{{- .Values.config.issuer.url }}
{{- else if and .Values.ingress.enabled .Values.ingress.host }}
{{- printf "https://%s/m2m-oauth-server" .Values.ingress.host }}
{{- else if and .Values.gateway.enabled .Values.gateway.host }}
{{- printf "https://%s/m2m-oauth-server" .Values.gateway.host }}
{{- else }}
{{- printf "https://%s:%d/m2m-oauth-server" (include "m2m.host" .) (int .Values.service.httpPort) }}
{{- end }}
{{- end }}

{{- define "m2m.issuerPath" -}}
{{- (urlParse (include "m2m.issuerURL" .)).path }}
{{- end }}

{{- define "m2m.dnsNames" -}}
{{- $name := include "m2m.fullname" . }}
{{- $namespace := .Release.Namespace }}
{{- concat (list $name (printf "%s.%s" $name $namespace) (include "m2m.host" .) (printf "%s.cluster.local" (include "m2m.host" .)) "localhost") .Values.tls.dnsNames | uniq | toYaml }}
{{- end }}
