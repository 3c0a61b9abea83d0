package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/rules"
	"go.yaml.in/yaml/v3"
)

// testFile is the part of promtool's format that is used here; another field is an error.
type testFile struct {
	RuleFiles          []string       `yaml:"rule_files"`
	EvaluationInterval model.Duration `yaml:"evaluation_interval"`
	Tests              []testCase     `yaml:"tests"`
}

type testCase struct {
	Name        string         `yaml:"name"`
	Interval    model.Duration `yaml:"interval"`
	InputSeries []struct {
		Series string `yaml:"series"`
		Values string `yaml:"values"`
	} `yaml:"input_series"`
	// Silent are alerts that don't fire at a time.
	Silent      []silence    `yaml:"alert_rule_test"`
	Expressions []expression `yaml:"promql_expr_test"`
}

type silence struct {
	EvalTime  model.Duration `yaml:"eval_time"`
	Alertname string         `yaml:"alertname"`
}

type expression struct {
	Expr     string         `yaml:"expr"`
	EvalTime model.Duration `yaml:"eval_time"`
	Samples  []struct {
		Labels string  `yaml:"labels"`
		Value  float64 `yaml:"value"`
	} `yaml:"exp_samples"`
}

func runTests(file string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var tests testFile
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	decoder.KnownFields(true)
	if err := decoder.Decode(&tests); err != nil {
		return err
	}
	if len(tests.Tests) == 0 || len(tests.RuleFiles) == 0 || tests.EvaluationInterval == 0 {
		return errors.New("the file needs rule_files, evaluation_interval and tests")
	}
	for i, name := range tests.RuleFiles {
		tests.RuleFiles[i] = filepath.Join(filepath.Dir(file), name)
	}
	var failures []error
	for _, test := range tests.Tests {
		if err := test.run(tests); err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", test.Name, err))
		}
	}
	return errors.Join(failures...)
}

// run evaluates the rules at each interval over the test's samples, then asks for alerts and expressions.
func (test testCase) run(file testFile) (err error) {
	suite, err := promqltest.NewLazyLoader(test.load(), promqltest.LazyLoaderOpts{EnableAtModifier: true, EnableNegativeOffset: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, suite.Close()) }()
	interval := time.Duration(file.EvaluationInterval)
	suite.SubqueryInterval = interval
	groups, err := test.groups(suite, file.RuleFiles)
	if err != nil {
		return err
	}
	start := time.Unix(0, 0).UTC()
	var failures []error
	for at := time.Duration(0); at <= test.end(); at += interval {
		suite.WithSamplesTill(start.Add(at), func(err error) {
			failures = append(failures, err)
			for _, group := range groups {
				group.Eval(suite.Context(), start.Add(at))
				for _, rule := range group.Rules() {
					failures = append(failures, rule.LastError())
				}
			}
		})
		for _, silence := range test.Silent {
			if eval := time.Duration(silence.EvalTime); at <= eval && eval < at+interval {
				failures = append(failures, silence.check(groups))
			}
		}
	}
	for _, expression := range test.Expressions {
		failures = append(failures, expression.check(suite, start))
	}
	return errors.Join(failures...)
}

// load is the test's series in the language of promqltest.
func (test testCase) load() string {
	var text strings.Builder
	fmt.Fprintf(&text, "load %ds\n", int(time.Duration(test.Interval).Seconds()))
	for _, input := range test.InputSeries {
		fmt.Fprintf(&text, "  %s %s\n", input.Series, input.Values)
	}
	return text.String()
}

func (test testCase) groups(suite *promqltest.LazyLoader, files []string) ([]*rules.Group, error) {
	manager := rules.NewManager(&rules.ManagerOptions{
		QueryFunc:  rules.EngineQueryFunc(suite.QueryEngine(), suite.Storage()),
		Appendable: suite.Storage(),
		Context:    context.Background(),
		NotifyFunc: func(context.Context, string, ...*rules.Alert) {},
		Logger:     promslog.NewNopLogger(),
		Parser:     newParser(),
	})
	loaded, errs := manager.LoadGroups(time.Duration(test.Interval), labels.EmptyLabels(), "", nil, false, files...)
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	var groups []*rules.Group
	for _, group := range loaded {
		groups = append(groups, group)
		for _, rule := range group.Rules() {
			// Only a restored alert writes the series ALERTS.
			if alert, ok := rule.(*rules.AlertingRule); ok {
				alert.SetRestored(true)
			}
		}
	}
	return groups, nil
}

// end is the time of the last question.
func (test testCase) end() time.Duration {
	var last model.Duration
	for _, silence := range test.Silent {
		last = max(last, silence.EvalTime)
	}
	for _, expression := range test.Expressions {
		last = max(last, expression.EvalTime)
	}
	return time.Duration(last)
}

func (silence silence) check(groups []*rules.Group) error {
	known := false
	for _, group := range groups {
		for _, rule := range group.Rules() {
			alert, ok := rule.(*rules.AlertingRule)
			if !ok || alert.Name() != silence.Alertname {
				continue
			}
			known = true
			for _, active := range alert.ActiveAlerts() {
				if active.State == rules.StateFiring {
					return fmt.Errorf("%s fires at %s: %s", silence.Alertname, silence.EvalTime, active.Labels)
				}
			}
		}
	}
	if !known {
		return fmt.Errorf("there is no alert %s", silence.Alertname)
	}
	return nil
}

func (expression expression) check(suite *promqltest.LazyLoader, start time.Time) error {
	at := start.Add(time.Duration(expression.EvalTime))
	query, err := suite.QueryEngine().NewInstantQuery(suite.Context(), suite.Queryable(), nil, expression.Expr, at)
	if err != nil {
		return err
	}
	result := query.Exec(suite.Context())
	if result.Err != nil {
		return result.Err
	}
	vector, ok := result.Value.(promql.Vector)
	if !ok {
		return fmt.Errorf("%s gives no vector", expression.Expr)
	}
	var got, want []string
	for _, sample := range vector {
		got = append(got, fmt.Sprintf("%s %v", sample.Metric, sample.F))
	}
	for _, sample := range expression.Samples {
		metric, err := newParser().ParseMetric(sample.Labels)
		if err != nil {
			return err
		}
		want = append(want, fmt.Sprintf("%s %v", metric, sample.Value))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		return fmt.Errorf("%s at %s: expected %v, got %v", expression.Expr, expression.EvalTime, want, got)
	}
	return nil
}
