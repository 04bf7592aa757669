"""Response schemas, by noun: the types of what the API returns. `/openapi.json` is generated from them.

Times are ISO 8601 in UTC, money is a decimal string in the currency beside it. A field that can be null says when.
"""
