"""The shapes on the wire: what a body and a query may hold, and how documents are shown. No input or output."""
