// Command alertrules checks and tests Prometheus' alerting rules as `promtool check rules` and `promtool test rules`
// do, with the packages that promtool calls. promtool itself links the SDKs of a dozen clouds and takes minutes to build.
//
//	alertrules check RULES   parses the rules, refuses duplicates, prints their number
//	alertrules test TESTS    runs the unit tests of rules that a file in promtool's format holds
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
)

func main() {
	if len(os.Args) != 3 {
		fail(errors.New("usage: alertrules check RULES | test TESTS"))
	}
	switch command, file := os.Args[1], os.Args[2]; command {
	case "check":
		count, err := check(file)
		fail(err)
		fmt.Printf("SUCCESS: %d rules found\n", count)
	case "test":
		fail(runTests(file))
		fmt.Println("SUCCESS")
	default:
		fail(fmt.Errorf("unknown command %q", command))
	}
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func newParser() parser.Parser { return parser.NewParser(parser.Options{}) }

// check parses a file of rules and returns how many it holds. Two rules of one name and the same labels are an error.
func check(file string) (int, error) {
	groups, errs := rulefmt.ParseFile(file, false, model.UTF8Validation, newParser(), promslog.NewNopLogger())
	if len(errs) > 0 {
		return 0, errors.Join(errs...)
	}
	seen := map[string]bool{}
	for _, group := range groups.Groups {
		for _, rule := range group.Rules {
			key := rule.Alert + rule.Record + rules.FromMaps(group.Labels, rule.Labels).String()
			if seen[key] {
				return 0, fmt.Errorf("duplicate rule: %s", key)
			}
			seen[key] = true
		}
	}
	return len(seen), nil
}
