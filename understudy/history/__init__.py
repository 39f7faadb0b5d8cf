"""The history: what earlier runs came to, in a database beside the state, for order, reports and questions."""
