"""What every route shares: requests, authentication, errors, response schemas, the OpenAPI document."""
