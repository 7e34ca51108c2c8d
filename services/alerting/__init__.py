"""From inspections to people: rules, grouping, what people do with alerts, and the channels that carry them."""
