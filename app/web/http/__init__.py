"""What all routes share: requests, authentication, errors, response schemas, the OpenAPI document."""
