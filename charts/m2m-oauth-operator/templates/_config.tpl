{{- define "m2m.tls" -}}
{{- if eq .Values.tls.mode "None" -}}
plaintext: true
{{- else -}}
certFile: /run/m2m-oauth-operator/tls/tls.crt
keyFile: /run/m2m-oauth-operator/tls/tls.key
{{- end }}
{{- end }}

{{- /* Client certificates of one listener: (dict "root" $ "listener" "grpc"). A listener requires them only if the values name it. */}}
{{- define "m2m.clientCertificates" -}}
{{- if include "m2m.requiresCertificates" . }}
caFile: /run/m2m-oauth-operator/client-ca/ca.crt
clientCertificateRequired: true
{{- end }}
{{- end }}

{{- /* The operator's configuration (docs/configuration.md). */}}
{{- define "m2m.config" -}}
{{- $config := .Values.config -}}
log:
  {{- toYaml $config.log | nindent 2 }}
kubernetes:
  namespace: {{ .Release.Namespace }}
  watchNamespaces: {{ toJson .Values.watchNamespaces }}
issuer:
  {{- toYaml (merge (dict "url" (include "m2m.issuerURL" .)) $config.issuer) | nindent 2 }}
grpc:
  address: ":9100"
  tls:
    {{- include "m2m.tls" . | nindent 4 }}
    {{- with include "m2m.clientCertificates" (dict "root" . "listener" "grpc") | trim }}
    {{- . | nindent 4 }}
    {{- end }}
http:
  address: ":9101"
  tls:
    {{- include "m2m.tls" . | nindent 4 }}
    {{- with include "m2m.clientCertificates" (dict "root" . "listener" "http") | trim }}
    {{- . | nindent 4 }}
    {{- end }}
  cors:
    {{- toYaml $config.cors | nindent 4 }}
  trustedProxies: {{ toJson $config.trustedProxies }}
ops:
  address: ":9102"
probes:
  address: ":9104"
authorization:
  {{- toYaml $config.authorization | nindent 2 }}
outbound:
  {{- toYaml $config.outbound | nindent 2 }}
garbageCollection:
  {{- toYaml $config.garbageCollection | nindent 2 }}
leaderElection:
  {{- toYaml (merge (dict "enabled" true) $config.leaderElection) | nindent 2 }}
limits:
  {{- toYaml $config.limits | nindent 2 }}
signingKey:
  {{- toYaml .Values.signingKey | nindent 2 }}
{{- end }}
