// Nothing is compiled here: these modules' zips carry the CRDs of kinds that the chart makes for others. foreign-crds.ts
// downloads them one by one, so that no graph of what they require is read; go.sum holds them to their content.
module m2moauth.dev/test/chart/foreign

go 1.26.0

require (
	github.com/cert-manager/cert-manager v1.21.2
	github.com/prometheus-operator/prometheus-operator v0.85.0
	sigs.k8s.io/gateway-api v1.6.3
)
