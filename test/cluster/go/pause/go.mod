module m2moauth.dev/test/cluster/pause

go 1.26.0
