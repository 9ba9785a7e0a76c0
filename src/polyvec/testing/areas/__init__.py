"""The areas of the suite: each rule of the contract once, for every store."""
