{{- define "codegrant.name" -}}
{{- default .Release.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end }}

{{- define "codegrant.selector" -}}
app.kubernetes.io/name: codegrant
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "codegrant.labels" -}}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "codegrant.image" -}}
{{- $repository := required "image.repository is missing: the registry that you have pushed the image to" .Values.image.repository -}}
{{- if .Values.image.digest -}}
{{ printf "%s@%s" $repository .Values.image.digest }}
{{- else -}}
{{ printf "%s:%s" $repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end -}}
{{- end }}

{{- define "codegrant.podSecurity" -}}
{runAsNonRoot: true, runAsUser: 65532, runAsGroup: 65532, fsGroup: 65532, seccompProfile: {type: RuntimeDefault}}
{{- end }}

{{- define "codegrant.containerSecurity" -}}
{allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
{{- end }}

{{- define "codegrant.mounts" -}}
- {name: config, mountPath: /etc/codegrant, readOnly: true}
- {name: secrets, mountPath: /run/secrets/codegrant, readOnly: true}
{{- end }}

{{- define "codegrant.volumes" -}}
- name: config
  configMap: {name: {{ include "codegrant.name" . }}}
- name: secrets
  secret: {secretName: {{ .Values.existingSecret }}, defaultMode: {{ .Values.secretMode }}}
{{- end }}

{{- define "codegrant.placement" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end }}
