"""One call on its way: the exchange, the chain of handlers, and the record of what happened."""
