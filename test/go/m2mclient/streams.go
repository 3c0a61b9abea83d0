package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"m2moauth.dev/test/go/m2mclient/pb"
)

// createMany makes the tokens that the long streams have. Long names fill the window sooner.
func (w *walk) createMany(ctx context.Context) {
	names := make(chan string)
	var workers sync.WaitGroup
	for range 16 {
		workers.Go(func() {
			for name := range names {
				_, err := w.service.CreateToken(ctx, w.request(name))
				check("create-many", err)
			}
		})
	}
	for at := range w.tokens {
		names <- fmt.Sprintf("%0200d", at)
	}
	close(names)
	workers.Wait()
}

// count reads a long stream to its end.
func (w *walk) count(ctx context.Context) {
	stream, err := w.service.GetTokens(ctx, &pb.GetTokensRequest{})
	check("count", err)
	ids := map[string]bool{}
	for {
		token, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			show("count", line{"distinct": len(ids)})
			return
		}
		check("count", err)
		ids[token.Id] = true
	}
}

func (w *walk) cancelHalfWay(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w.abandon(ctx, "cancelled", cancel)
}

func (w *walk) exceedDeadline(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	w.abandon(ctx, "overdue", func() {})
}

// abandon reads one token of all, and no other before ctx has ended; end is called when the first is there.
func (w *walk) abandon(ctx context.Context, step string, end func()) {
	stream, err := w.service.GetTokens(ctx, &pb.GetTokensRequest{})
	check(step, err)
	_, err = stream.Recv()
	check(step, err)
	end()
	<-ctx.Done()
	for err == nil {
		_, err = stream.Recv()
	}
	printStatus(step, err)
}
