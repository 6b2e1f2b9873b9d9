"""Whether, when and how often a call is made again."""
